"""What the operator wrote: policy files, and what their patterns match. Knows no JSON."""
