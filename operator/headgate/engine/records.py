"""What is read back of status: the record, and all of it only to be compared with what is to be said. Decides nothing."""

from collections.abc import Mapping
from typing import Any

from headgate.api import Origin, load_model
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


def previous(model: type[Any], status: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a status model of that kind)
    """The status as it stands; one that cannot be read is written anew."""
    if not status:
        return None
    loaded = load_model(model, status, strict=False, at="status")
    return None if isinstance(loaded, list) else loaded
