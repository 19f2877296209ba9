"""What the Engine API means: requests, endpoints, fields and what each gives its sender. Pure; knows no policy."""
