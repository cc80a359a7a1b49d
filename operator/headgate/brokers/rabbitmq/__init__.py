"""RabbitMQ: translation (pure) and the adapter (I/O). Knows nothing of Kubernetes or other brokers."""
