"""Restart or deploy anything that is not on Kubernetes without losing a request, and prove it."""

__version__ = "0.1.0"
