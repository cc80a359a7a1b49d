"""Headgate: a Kubernetes operator for asynchronous coordination infrastructure; this file holds the version and nothing else."""

__version__ = "0.1.0"
