"""`status.record` as the one part of status that is read back. Knows no other part of status."""

from collections.abc import Mapping
from typing import Any

from headgate.api import Origin
from headgate.core.claims import Record


def record_of(raw: Mapping[str, Any]) -> Record:
    """What status remembers; whatever cannot be understood counts as forgotten, which loses nothing."""
    origin = raw.get("origin")
    checkpoint = raw.get("checkpoint") or {}
    return Record(
        external_name=str(raw.get("externalName") or ""),
        identity=str(raw.get("identity") or ""),
        origin=Origin(origin) if origin in set(Origin) else None,
        checkpoint=str(checkpoint.get("position") or ""),
        checkpoint_in=str(checkpoint.get("topicIdentity") or ""),
    )
