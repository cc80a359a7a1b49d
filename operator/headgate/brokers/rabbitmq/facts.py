"""What a server can do, by its version. Pure."""

from typing import Final

DELAYED_RETRY: Final = "DelayedRetry"  # the broker holds back what was given back
CONSUMER_TIMEOUT: Final = "ConsumerTimeout"  # the broker takes events back from whoever sits on them
_SINCE: Final = {DELAYED_RETRY: 403, CONSUMER_TIMEOUT: 403, "QuorumQueues": 308, "Streams": 309}
LIVE_POLICIES: Final = 403  # from here on the settings in effect are told at once


def level_of(version: str) -> int:
    """A version as a number that grows: 4.3.6 is 403."""
    parts = [int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")[:2]]
    major, minor = (*parts, 0, 0)[:2]
    return major * 100 + minor


def capabilities(level: int) -> frozenset[str]:
    """In the words of status.capabilities."""
    return frozenset(name for name, needed in _SINCE.items() if level >= needed)
