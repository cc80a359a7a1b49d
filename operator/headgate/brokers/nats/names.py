"""Names that are ours in JetStream, and which names JetStream takes. Pure."""

import re
from typing import Final

ADVISORIES_NAME: Final = "headgate_advisories"
ADVISORY_SUBJECTS: Final = (
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
)
OURS: Final = "hg"  # the first word of every subject that belongs to Headgate
_ILLEGAL: Final = re.compile(r"[\s.*>/\\\x00-\x1f\x7f]")
_LONGEST: Final = 255


def illegal(name: str) -> str:
    """Why JetStream does not take a name for a stream or durable; empty when it does."""
    if found := _ILLEGAL.search(name):
        return f"contains {found.group()!r}, which JetStream does not take in names"
    if len(name) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    return ""


def own_subjects(stream: str) -> str:
    """The subjects of a stream that are nobody else's."""
    return f"{OURS}.{stream}.>"


def private_prefix(stream: str, durable: str) -> str:
    """What subjects begin with that reach one group and no other."""
    return f"{OURS}.{stream}.{durable}"


def epoch(identity: str) -> str:
    """One word that tells a stream from a later one of the same name."""
    return re.sub(r"\D", "", identity)


def queue_of(address: str) -> str:
    """The queue that an address of dead letters leads to; empty for an empty address."""
    return address.split(".")[1] if address else ""


def dead_letter_prefix(queue: str, stream: str, durable: str, identity: str) -> str:
    """What the subject of a dead letter begins with; the sequence of the event follows."""
    return f"{OURS}.{queue}.{stream}.{durable}.{epoch(identity)}"
