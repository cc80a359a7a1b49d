"""The outside world of brokers: one small seam and one folder per broker. Knows nothing of Kubernetes."""
