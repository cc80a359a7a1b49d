"""What should happen: pure decisions over declared and observed state. Knows no broker, no cluster, no clock."""
