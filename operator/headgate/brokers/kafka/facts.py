"""What a cluster can do, by the feature levels on which its brokers have agreed. Pure."""

from collections.abc import Mapping
from typing import Final

METADATA: Final = "metadata.version"
_RELEASES: Final = (  # the first level of each release
    (7, "3.3"),
    (8, "3.4"),
    (9, "3.5"),
    (12, "3.6"),
    (15, "3.7"),
    (20, "3.8"),
    (21, "3.9"),
    (22, "4.0"),
    (26, "4.1"),
    (28, "4.2"),
    (30, "4.3"),
    (31, "4.4"),
    (34, "4.5"),
)
_NEWEST: Final = 34
_CAPABILITIES: Final = {  # feature and the level from which on it is there
    "ConsumerProtocol": ("group.version", 1),
    "ShareGroups": ("share.version", 1),
    "ShareDeadLetters": ("share.version", 2),
    "StreamsGroups": ("streams.version", 1),
    "EligibleLeaders": ("eligible.leader.replicas.version", 1),
    "TransactionDefence": ("transaction.version", 2),
}


def release(level: int) -> str:
    """The release whose features the cluster uses; its programs may be newer. Empty: not told."""
    if level > _NEWEST:
        return f"{_RELEASES[-1][1]} or newer"
    return next((name for least, name in reversed(_RELEASES) if level >= least), "")


def capabilities(features: Mapping[str, int]) -> frozenset[str]:
    """In the words of status.capabilities."""
    return frozenset(
        name for name, (feature, least) in _CAPABILITIES.items() if features.get(feature, 0) >= least
    )
