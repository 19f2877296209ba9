"""Speed and size of sockproxy, side by side with what it stands in front of; ``make bench``."""
