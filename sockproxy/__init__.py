"""sockproxy: a reverse proxy for docker.sock that forwards only what a policy permits."""

__version__ = "0.1.0"

__all__ = ["__version__"]
