"""Metrics, logs: each declared once. Knows what is measured, never how it is decided."""
