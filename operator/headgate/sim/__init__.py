"""What would happen: deterministic models around the pure decisions. Knows no broker, no cluster and no clock."""
