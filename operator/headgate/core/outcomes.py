"""The vocabulary in which every decision reports what it found. Knows no broker and no condition types."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a finding means for the object it was found on."""

    REFUSED = "Refused"  # an edit of this object (or of its permissions) is needed; nothing is retried hot
    WAITING = "Waiting"  # something else must appear or recover; looked at again when it does
    BLOCKED = "Blocked"  # the change is impossible or destructive; the broker is left as it is
    CONFLICT = "Conflict"  # somebody else owns the broker object
    LOST = "DataLost"  # an object that held data vanished or was replaced; a person decides
    WARNING = "Warning"  # done, and worth saying


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found: a stable reason, a sentence that names the field and what to do."""

    outcome: Outcome
    reason: str
    message: str
    field: str = ""
    rule: str = ""  # the stable id (HG...) of an admission rule, where it is one
