"""The few calls we make to the cluster. Knows nothing of brokers or decisions."""
