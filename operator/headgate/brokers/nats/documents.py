"""Streams and consumers as the server's JSON, both ways, and the mark of their owner in it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final

from headgate.brokers.nats.resources import (
    CONSUMER_SINCE,
    STREAM_SINCE,
    Consumer,
    ConsumerLimits,
    External,
    Placement,
    Republish,
    Source,
    Stream,
    Transform,
)
from headgate.brokers.nats.times import duration, moment, nanoseconds, written
from headgate.core.resource import FieldClass, Key, Resource, reset_value, settings_of

Json = Mapping[str, Any]

OWNER: Final = "headgate.dev/owner"
MANAGED: Final = "headgate.dev/managed"
IDENTITY: Final = "headgate.dev/identity"
ADOPTED: Final = "headgate.dev/adopted"
_OURS: Final = "headgate.dev/"
_SERVERS: Final = "_nats."


@dataclass(frozen=True, slots=True)
class _Codec:
    """One setting in JSON: how it is read where it is there, what it is where it is not, how it is written."""

    load: Callable[[Any], Any]
    absent: Any
    dump: Callable[[Any], Any]


def _plain(absent: object) -> _Codec:
    return _Codec(lambda raw: raw, absent, lambda value: value)


def _strings(*, ordered: bool = False) -> _Codec:
    order = tuple if ordered else lambda items: tuple(sorted(items))
    return _Codec(order, (), list)


def _limit(raw: int) -> int:
    """The server takes 0 and -1 for "no limit" and shows either."""
    return raw if raw > 0 else -1


_TEXT = _plain("")
_FLAG = _plain(absent=False)
_NUMBER = _plain(0)
_UNBOUNDED = _Codec(_limit, -1, lambda value: value)
_DURATION = _Codec(duration, timedelta(0), nanoseconds)


def _load_transform(raw: Json) -> Transform:
    return Transform(raw.get("src", ""), raw.get("dest", ""))


def _dump_transform(value: Transform) -> Json:
    return {"src": value.src, "dest": value.dest}


def _load_source(raw: Json) -> Source:
    external = raw.get("external")
    return Source(
        raw["name"],
        raw.get("opt_start_seq", 0),
        _load_moment(raw.get("opt_start_time") or ""),
        raw.get("filter_subject", ""),
        tuple(_load_transform(part) for part in raw.get("subject_transforms") or ()),
        External(external["api"], external.get("deliver", "")) if external else None,
        (raw.get("consumer") or {}).get("name", ""),
        (raw.get("consumer") or {}).get("deliver_subject", ""),
    )


def _dump_source(value: Source) -> Json:
    consumer = {"name": value.consumer, "deliver_subject": value.deliver_subject}
    parts = {
        "name": value.name,
        "opt_start_seq": value.opt_start_seq,
        "opt_start_time": value.opt_start_time,
        "filter_subject": value.filter_subject,
        "subject_transforms": [_dump_transform(part) for part in value.subject_transforms],
        "external": {"api": value.external.api, "deliver": value.external.deliver}
        if value.external
        else None,
        "consumer": {name: part for name, part in consumer.items() if part} if value.consumer else None,
    }
    return {name: part for name, part in parts.items() if part}


def _load_moment(raw: str) -> str:
    """The zero moment of the server stands for none."""
    return written(moment(raw)) if raw and not raw.startswith("0001-") else ""


def _load_limits(raw: Json) -> ConsumerLimits:
    return ConsumerLimits(duration(raw.get("inactive_threshold", 0)), raw.get("max_ack_pending", 0))


def _dump_limits(value: ConsumerLimits) -> Json:
    return {
        "inactive_threshold": nanoseconds(value.inactive_threshold),
        "max_ack_pending": value.max_ack_pending,
    }


def load_placement(raw: Json) -> Placement:
    """Where replicas may live, as the server has it."""
    return Placement(raw.get("cluster", ""), tuple(sorted(raw.get("tags") or ())), raw.get("preferred", ""))


def _dump_placement(value: Placement) -> Json | None:
    parts = {"cluster": value.cluster, "tags": list(value.tags), "preferred": value.preferred}
    return {name: part for name, part in parts.items() if part} or None


def _dump_republish(value: Republish) -> Json | None:
    return {"src": value.src, "dest": value.dest, "headers_only": value.headers_only} if value.dest else None


_SPECIAL: Final[Mapping[str, _Codec]] = {
    "placement": _Codec(
        load_placement,
        Placement(),
        _dump_placement,
    ),
    "mirror": _Codec(_load_source, None, _dump_source),
    "sources": _Codec(
        lambda raw: tuple(_load_source(part) for part in raw),
        (),
        lambda value: [_dump_source(part) for part in value],
    ),
    "subject_transform": _Codec(
        _load_transform, Transform("", ""), lambda value: _dump_transform(value) if value.dest else None
    ),
    "republish": _Codec(
        lambda raw: Republish(raw.get("dest", ""), raw.get("src", ""), bool(raw.get("headers_only"))),
        Republish(""),
        _dump_republish,
    ),
    "consumer_limits": _Codec(_load_limits, ConsumerLimits(), _dump_limits),
    "backoff": _Codec(
        lambda raw: tuple(map(duration, raw)), (), lambda value: [nanoseconds(part) for part in value]
    ),
    "opt_start_time": _Codec(_load_moment, "", lambda value: value or None),
    "pause_until": _Codec(_load_moment, "", lambda value: value or None),
    "compression": _plain("none"),
    "persist_mode": _Codec(lambda raw: raw or "default", "default", lambda value: value),
    "priority_policy": _Codec(lambda raw: raw or "none", "none", lambda value: value),
    "priority_groups": _strings(),
    "subjects": _strings(),
    "filter_subjects": _strings(),
    "max_deliver": _UNBOUNDED,
    **dict.fromkeys(
        ("max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"), _UNBOUNDED
    ),
}
_BY_TYPE: Final = {"str": _TEXT, "bool": _FLAG, "int": _NUMBER, "timedelta": _DURATION}


def _codecs(kind: type[Resource]) -> Mapping[str, _Codec]:
    types = {f.name: str(f.type).removeprefix("datetime.").partition(" |")[0] for f in fields(kind)}
    names = [name for name in settings_of(kind) if name != "metadata"]
    return {name: _SPECIAL[name] if name in _SPECIAL else _BY_TYPE[types[name]] for name in names}


_STREAM: Final = _codecs(Stream)
_CONSUMER: Final = {**_codecs(Consumer), "max_bytes": _NUMBER}
SINCE: Final = STREAM_SINCE.keys() | CONSUMER_SINCE.keys()
# Declared whenever an object is: they never leave a declaration, so nobody has to remember that they were set.
_ALWAYS: Final = frozenset(
    [
        "subjects",
        "retention",
        "storage",
        "num_replicas",
        "max_age",
        "max_bytes",
        "max_msgs",
        "max_msgs_per_subject",
        "max_msg_size",
        "discard",
        "duplicate_window",
        "filter_subjects",
        "ack_policy",
        "ack_wait",
        "max_deliver",
        "max_ack_pending",
        "deliver_policy",
        "opt_start_seq",
        "opt_start_time",
        "deliver_subject",
        "metadata",
    ]
)


def load_stream(key: Key, config: Json) -> Stream:
    """Every setting of a stream as the server has it."""
    return Stream(key, **_loaded(_STREAM, config), metadata=_user_metadata(config))


def load_consumer(key: Key, config: Json) -> Consumer:
    """Every setting of a consumer as the server has it."""
    found = _loaded(_CONSUMER, config)
    if config.get("filter_subject"):
        found["filter_subjects"] = (config["filter_subject"],)
    return Consumer(key, **found, metadata=_user_metadata(config))


def _loaded(codecs: Mapping[str, _Codec], config: Json) -> dict[str, Any]:
    return {
        name: codec.load(config[name]) if config.get(name) is not None else codec.absent
        for name, codec in codecs.items()
    }


def dump(desired: Stream | Consumer, found: Json | None, marks: Mapping[str, str]) -> dict[str, Any]:
    """The server's JSON with every declared setting put in, everything else as it was found, and our marks.

    What only a creation decides stays as it is in an object that was found.
    """
    document = dict(found or {})
    for name, codec in (_STREAM if isinstance(desired, Stream) else _CONSUMER).items():
        value = getattr(desired, name)
        if value is None or (found is not None and desired.field_class(name) is FieldClass.AT_CREATION):
            continue
        if name in SINCE and value == codec.absent and name not in document:
            continue  # an older server does not even know the word
        document[name] = codec.dump(value)
    document = {name: value for name, value in document.items() if value is not None}
    if isinstance(desired, Consumer):
        document.pop("filter_subject", None)
    document["metadata"] = _metadata(desired, (found or {}).get("metadata") or {}, marks)
    return document


def _metadata(
    desired: Stream | Consumer, found: Mapping[str, str], marks: Mapping[str, str]
) -> dict[str, str]:
    ours = {part.removeprefix("metadata.") for part in _tokens(found) if part.startswith("metadata.")}
    kept = {name: value for name, value in found.items() if not name.startswith(_SERVERS) and name != MANAGED}
    if desired.metadata is not None:
        kept = {name: value for name, value in kept.items() if name not in ours} | dict(desired.metadata)
    managed = sorted(_declared(desired))
    return kept | dict(marks) | ({MANAGED: ",".join(managed)} if managed and marks else {})


def _declared(desired: Stream | Consumer) -> set[str]:
    """Optional settings with an opinion of their own; `metadata.<name>` for entries of user metadata."""
    names = {
        name
        for name in settings_of(type(desired))
        if name not in _ALWAYS
        and getattr(desired, name) is not None
        and getattr(desired, name) != reset_value(type(desired), name)
    }
    return names | {f"metadata.{name}" for name, _ in desired.metadata or ()}


def _tokens(metadata: Mapping[str, str]) -> frozenset[str]:
    return frozenset(filter(None, metadata.get(MANAGED, "").split(",")))


def _user_metadata(config: Json) -> tuple[tuple[str, str], ...]:
    """Entries that are neither the server's nor ours; of an object that bears our mark only those that we wrote."""
    found: Mapping[str, str] = config.get("metadata") or {}
    users = {name: value for name, value in found.items() if not name.startswith((_SERVERS, _OURS))}
    if OWNER in found:
        users = {name: value for name, value in users.items() if f"metadata.{name}" in _tokens(found)}
    return tuple(sorted(users.items()))


def mark_of(config: Json) -> str | None:
    """The owner's mark, where there is one."""
    return (config.get("metadata") or {}).get(OWNER)


def managed_of(config: Json) -> frozenset[str]:
    """Optional settings that the mark says were declared."""
    return frozenset(part.partition(".")[0] for part in _tokens(config.get("metadata") or {}))


def adopted(config: Json) -> bool:
    """Whether the mark says that the object was there before its owner."""
    return (config.get("metadata") or {}).get(ADOPTED) == "true"


def identity_of(config: Json) -> str:
    """The random identity that our shared stream gives to the cluster; empty on any other."""
    return str((config.get("metadata") or {}).get(IDENTITY, ""))
