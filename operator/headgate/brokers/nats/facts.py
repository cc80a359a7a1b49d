"""What a server can do, by the level of its API. Pure."""

from typing import Final

_CAPABILITIES: Final = {  # the level from which on they are there
    "MessageTTL": 1,
    "ConsumerPause": 1,
    "PriorityGroups": 1,
    "AtomicPublish": 2,
    "Counters": 2,
    "DelayedDelivery": 2,
    "BatchedPublish": 4,
    "ConsumerReset": 4,
}


def capabilities(level: int) -> frozenset[str]:
    """In the words of status.capabilities."""
    return frozenset(name for name, needed in _CAPABILITIES.items() if level >= needed)
