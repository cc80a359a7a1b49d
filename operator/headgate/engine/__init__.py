"""The loops that gather, decide and act; start reading at reconcile.py. Never mentions a broker by name."""
