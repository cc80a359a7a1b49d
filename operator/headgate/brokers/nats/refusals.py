"""What JetStream refuses about streams and consumers, in the words of a manifest: which field, what is expected, what to do. Pure data.

Codes that are not here keep the server's own text; nothing here is about requests that may succeed later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_INVALID: Final = "InvalidSetting"
_NATIVE: Final = "spec.native.nats."


@dataclass(frozen=True, slots=True)
class Explained:
    """One refusal: its stable reason, the field that somebody has to look at, what is expected there and what to do."""

    reason: str
    field: str = ""
    says: str = ""


def _setting(field: str, says: str) -> Explained:
    return Explained(_INVALID, field, says)


def _native(name: str, says: str) -> Explained:
    return Explained(_INVALID, _NATIVE + name, says)


def _fixed(field: str, *, way: str = "move to an object with another externalName") -> Explained:
    return Explained(
        "ImmutableSetting",
        field,
        f"it is decided when the object is made: declare the old value again, or {way}",
    )


_NO_PERSISTENCE: Final = Explained("PersistenceDisabled", "spec.nats", "the account keeps no events there")
_TOO_OLD: Final = Explained("UnsupportedByServer")
_STORAGE: Final = "lower retention.maxBytes or replicas, or give the servers and the account more storage"
_MIRROR: Final = "a mirror holds what its origin holds and nothing else"
_TRANSFORM: Final = (
    "src is a pattern of subjects, dest takes its wildcards as {{wildcard(n)}}: correct the pair"
)
_ONE_FILTER: Final = "use filterSubject or subjectTransforms, not both"
_DISJOINT: Final = "two filters take the same subjects: leave out the narrower one"

BY_CODE: Final[Mapping[int, Explained]] = {
    # names, and what is there or not
    10059: Explained("NotFound"),
    10014: Explained("NotFound"),
    10037: Explained("NotFound"),
    10149: Explained("NotFound"),
    10058: Explained("AlreadyExists"),
    10148: Explained("AlreadyExists"),
    10013: Explained("AlreadyExists"),
    10105: Explained("AlreadyExists"),
    10102: Explained("NameInvalid", "spec.externalName", "choose a shorter one"),
    10103: Explained("NameInvalid", "spec.externalName", "choose one without dots, wildcards and spaces"),
    10127: Explained("NameInvalid", "spec.externalName", "choose one without slashes"),
    10128: Explained("NameInvalid", "spec.externalName", "choose one without slashes"),
    # room, copies, and what the account allows
    10002: Explained(
        "LimitReached", "spec.retention.maxBytes", f"the account has no room for that: {_STORAGE}"
    ),
    10047: Explained(
        "InsufficientResources", "spec.retention.maxBytes", f"there is no room for that: {_STORAGE}"
    ),
    10028: Explained(
        "InsufficientResources",
        "spec.storage",
        "there is no memory for that: declare File, or smaller bounds",
    ),
    10023: Explained("InsufficientResources"),
    10026: Explained(
        "LimitReached", "", "the stream or account takes no more consumers: delete some, or raise the limit"
    ),
    10027: Explained(
        "LimitReached", "", "the account takes no more streams: delete some, or raise its limit"
    ),
    10113: Explained(
        "MaxBytesRequired", "spec.retention.maxBytes", "the account demands a bound: declare one"
    ),
    10122: Explained(
        "LimitReached", "spec.retention.maxBytes", "the account allows less for one stream: declare less"
    ),
    10120: Explained(
        "LimitReached",
        "spec.replicas",
        "the account has no limits for so many copies: declare another number",
    ),
    10005: Explained(
        "NoSuitablePeers",
        "spec.replicas",
        "not that many servers fit: declare fewer copies, loosen native.nats.placement, or add servers",
    ),
    10011: Explained("NoSuitablePeers", f"{_NATIVE}placement", "tags cannot be used here: leave them out"),
    10074: Explained(
        "ReplicasNotPossible", "spec.replicas", "a server that stands alone keeps one copy: declare 1"
    ),
    10133: Explained("ReplicasNotPossible", "spec.replicas", "declare 1, 3 or 5"),
    10126: Explained(
        "ReplicasNotPossible",
        f"{_NATIVE}replicas",
        "a reader has at most as many copies as its topic: declare fewer",
    ),
    10134: Explained(
        "ReplicasNotPossible",
        f"{_NATIVE}replicas",
        "under retention interest a reader has as many copies as its topic: leave it out",
    ),
    10025: _TOO_OLD,
    10036: _TOO_OLD,
    10185: _TOO_OLD,
    10035: _NO_PERSISTENCE,
    10039: _NO_PERSISTENCE,
    10076: _NO_PERSISTENCE,
    # streams
    10065: Explained("SubjectsOverlap", "spec.subjects", "another stream takes them: declare others"),
    10055: _fixed(f"{_NATIVE}mirror"),
    10061: Explained(
        "ReplicasNotPossible", "spec.replicas", "it cannot be changed now: declare the old number again"
    ),
    10123: Explained(
        "RequestRefused",
        "spec.replicas",
        "copies and placement change one after the other: change one at a time",
    ),
    10109: _native(
        "sealed", "a sealed stream never changes again: declare what it has, or move to another externalName"
    ),
    10031: _native("mirror", f"{_MIRROR}: leave sources out"),
    10032: _native("mirror", "a mirror starts at optStartSeq or at optStartTime, not at both"),
    10033: _native("mirror.filterSubject", f"{_ONE_FILTER}"),
    10034: _setting("spec.subjects", f"{_MIRROR}: leave subjects out"),
    10143: _native("firstSeq", f"{_MIRROR}: leave it out"),
    10173: _native("allowMsgCounter", f"{_MIRROR}: leave it out"),
    10186: _native("allowMsgSchedules", f"{_MIRROR}: leave it out"),
    10198: _native("allowAtomic", f"{_MIRROR}: leave it out"),
    10209: _native("allowBatched", f"{_MIRROR}: leave it out"),
    10030: _setting(
        "spec.maxMessageSize", "a mirror takes what its origin takes: declare at least the origin's size"
    ),
    10142: _native("mirror.name", "it is no name of a stream: correct it"),
    10150: _native("mirror", _ONE_FILTER),
    10151: _native("mirror.subjectTransforms", _TRANSFORM),
    10152: _native("mirror.subjectTransforms", _DISJOINT),
    10154: _native("mirror.subjectTransforms", _TRANSFORM),
    10213: _native("mirror.consumer", "correct it, or leave it out"),
    10021: _native(
        "mirror.external", "its prefix collides with subjects of this stream: correct one of them"
    ),
    10022: _native(
        "mirror.external.deliver", "it collides with subjects of this stream: correct one of them"
    ),
    10024: _native("mirror.external.deliver", "it takes no wildcards: name a plain prefix"),
    10046: _setting(
        "spec.maxMessageSize",
        "a copy takes what its sources take: declare at least the largest source's size",
    ),
    10140: _native("sources", "one source is named twice: leave one out"),
    10141: _native("sources", "a name is none of a stream: correct it"),
    10144: _native("sources", _ONE_FILTER),
    10145: _native("sources", _TRANSFORM),
    10146: _native("sources", _TRANSFORM),
    10147: _native("sources", _DISJOINT),
    10187: _native("allowMsgSchedules", "a stream with sources schedules nothing: leave one of them out"),
    10215: _native("sources", "a consumer named there is not usable: correct it, or leave it out"),
    10216: _native("sources", "two sources name one consumer: name another one"),
    10155: _native("subjectTransform", _TRANSFORM),
    10156: _native("subjectTransform", _TRANSFORM),
    # consumers
    10082: _setting(
        "spec.concurrency", "nothing bounds what is in flight under ackPolicy none: leave it out"
    ),
    10084: _native("ackPolicy", "a topic with retention workqueue is read with explicit: declare that"),
    10098: _native("ackPolicy", "a topic with retention workqueue is read with explicit: declare that"),
    10181: _native("ackPolicy", "declare explicit, all or none"),
    10182: _native("replayPolicy", "declare instant or original"),
    10087: _native("maxWaiting", "declare a positive number"),
    10093: _setting(
        "spec.filter.subjects", "some lie outside the topic's subjects: declare subjects of the topic"
    ),
    10099: Explained(
        "FiltersOverlap",
        "spec.filter.subjects",
        "under retention workqueue every event has one group: declare disjoint filters",
    ),
    10100: Explained(
        "FiltersOverlap",
        "spec.filter.subjects",
        "under retention workqueue every event has one group, and another one takes these: declare disjoint filters",
    ),
    10101: _setting(
        "spec.start.from", "under retention workqueue a group begins with the Earliest: declare that"
    ),
    10138: Explained("FiltersOverlap", "spec.filter.subjects", _DISJOINT),
    10139: _setting("spec.filter.subjects", "one of them is empty: leave it out"),
    10095: _native("sampleFreq", "declare a share from 0 to 100"),
    10107: _native("description", "declare a shorter one"),
    10135: _native("metadata", "it is too large: shorten it"),
    10114: _native("maxRequestBatch", "declare a positive number"),
    10115: _native("maxRequestExpires", "declare at least 1ms"),
    10125: _native("maxRequestBatch", "the server allows less: declare less"),
    10116: _setting(
        "spec.retryPolicyRef", "there are more waits than attempts: raise attempts in the RetryPolicy"
    ),
    10183: _setting("spec.retryPolicyRef", "the RetryPolicy's handlingTimeout has to be positive"),
    10184: _setting("spec.retryPolicyRef", "the RetryPolicy's waits have to be positive"),
    10121: _setting(
        "spec.concurrency.total",
        "server, account or topic (native.nats.consumerLimits) allow fewer events in flight: declare fewer",
    ),
    10153: _native(
        "inactiveThreshold", "server or topic (native.nats.consumerLimits) allow less: declare less"
    ),
    10159: _native("priorityGroups", "priorityPolicy needs exactly one group: declare it"),
    10160: _native("priorityGroups", "declare the group that workers name"),
    10161: _native("priorityGroups", "the name is empty: declare one"),
    10162: _native("priorityGroups", "declare a name of at most 16 letters, digits and -_/=)+"),
    10196: _native("priorityPolicy", "priorityGroups need a policy: declare one, or leave the groups out"),
    10197: _native("priorityTimeout", "it needs priorityPolicy pinned_client: declare that, or leave it out"),
}

# The same codes, where they are about a reader.
OF_READERS: Final[Mapping[int, Explained]] = {
    10074: Explained(
        "ReplicasNotPossible", f"{_NATIVE}replicas", "a server that stands alone keeps one copy: leave it out"
    ),
    10005: Explained(
        "NoSuitablePeers", f"{_NATIVE}replicas", "not that many servers fit: declare fewer copies"
    ),
    10047: Explained("InsufficientResources"),
    10002: Explained("LimitReached"),
}

# Under these codes the server says everything that has no code of its own: a piece of its text tells them apart.
BY_TEXT: Final[Mapping[str, Explained]] = {
    "stream name": Explained(
        "NameInvalid", "spec.externalName", "choose one without dots, wildcards and slashes"
    ),
    "consumer name can not": Explained(
        "NameInvalid", "spec.externalName", "choose one without dots, wildcards and slashes"
    ),
    "description is too long": _native("description", "declare a shorter one"),
    "metadata exceeds": _native("metadata", "it is too large: shorten it"),
    "maximum replicas": Explained("ReplicasNotPossible", "spec.replicas", "declare at most 5"),
    "larger then max age": _setting(
        "spec.deduplication.window",
        "events are gone before the window ends: declare at most retention.maxAge",
    ),
    "larger then server limit": _setting("spec.deduplication.window", "the server allows less: declare less"),
    "duplicates window": _setting("spec.deduplication.window", "declare at least 100ms"),
    "max age": _setting("spec.retention.maxAge", "declare at least 100ms"),
    "roll-ups require the purge": _native(
        "allowRollup", "it needs denyPurge to be off: leave one of them out"
    ),
    "counter stream": _native(
        "allowMsgCounter",
        "counters need whenFull DropOldest, retention limits and neither TTLs nor schedules",
    ),
    "discard new per subject": _native(
        "discardNewPerSubject",
        "it needs whenFull RejectNew and maxMsgsPerSubject: declare both, or leave it out",
    ),
    "subject delete marker": _native(
        "subjectDeleteMarkerTTL", "it needs at least 1s, messageTTL PerMessage and allowRollup, and no mirror"
    ),
    "message scheduling": _native("allowMsgSchedules", "schedules need whenFull DropOldest and allowRollup"),
    "async persist mode": _native("persistMode", "async needs storage File, one copy and no allowAtomic"),
    "detected cycle": _native("sources", "the streams copy from each other: leave one direction out"),
    "subject transform": _native("subjectTransform", _TRANSFORM),
    "republish": _native(
        "republish", "what is published again must not come back: name a dest outside spec.subjects"
    ),
    "mirror direct": _native("mirrorDirect", "only a mirror has it: leave it out"),
    "preferred server": _native("placement.preferred", "it is no lasting setting: leave it out"),
    "needs at least one configured subject": _setting("spec.subjects", "declare at least one"),
    "duplicate subjects": _setting("spec.subjects", "one of them stands there twice: leave one out"),
    "invalid subject": _setting(
        "spec.subjects", "a subject has words between dots, none of them empty: correct it"
    ),
    "capturing all subjects": _setting(
        "spec.subjects", "everything, with the server's own traffic, is too much: narrow it"
    ),
    "overlap with jetstream api": _setting(
        "spec.subjects", "the server's own subjects cannot be kept: declare others"
    ),
    "overlap with system api": _setting(
        "spec.subjects", "the server's own subjects cannot be kept: declare others"
    ),
    "overlaps with": _setting("spec.subjects", "one of them contains another: leave out the narrower one"),
    "change storage type": _fixed("spec.storage"),
    "storage type can not be updated": _fixed(f"{_NATIVE}memStorage"),
    "to/from workqueue": _fixed(f"{_NATIVE}retention"),
    "unseal": _native("sealed", "a sealed stream never changes again: declare true"),
    "can not be sealed": _native("sealed", "a stream is sealed after it was filled: declare false at first"),
    "cancel deny message deletes": _native("denyDelete", "once on it stays on: declare true"),
    "cancel deny purge": _native("denyPurge", "once on it stays on: declare true"),
    "message TTL status": _setting("spec.messageTTL", "once on it stays on: declare PerMessage"),
    "message schedules can not be disabled": _native(
        "allowMsgSchedules", "once on it stays on: declare true"
    ),
    "message counter setting": _fixed(f"{_NATIVE}allowMsgCounter"),
    "change persist mode": _fixed(f"{_NATIVE}persistMode"),
    "change max consumers": _fixed(f"{_NATIVE}maxConsumers"),
    "deliver policy": _fixed("spec.start"),
    "start sequence": _fixed("spec.start"),
    "start time": _fixed("spec.start"),
    "ack policy": _fixed(f"{_NATIVE}ackPolicy"),
    "replay policy": _fixed(f"{_NATIVE}replayPolicy"),
    "max waiting": _fixed(f"{_NATIVE}maxWaiting"),
    "push consumer": Explained(
        "ImmutableSetting", "spec.externalName", "somebody made a pushing reader of that name: choose another"
    ),
    "pull consumer": Explained(
        "ImmutableSetting", "spec.externalName", "somebody made another kind of reader: choose another"
    ),
}
_FREE: Final = frozenset({10012, 10049, 10052, 10053, 10069})


def explained(code: int, text: str, *, reader: bool = False) -> Explained:
    """What a refusal means for whoever wrote the manifest."""
    if reader and code in OF_READERS:
        return OF_READERS[code]
    if code in _FREE:
        return next((found for piece, found in BY_TEXT.items() if piece in text), Explained(_INVALID))
    return BY_CODE.get(code, Explained(_INVALID))


def told(code: int, text: str, *, reader: bool = False) -> str:
    """The refusal as a sentence that names field and way out; the server's own words stay at its end."""
    found = explained(code, text, reader=reader)
    known = ": ".join(part for part in (found.field, found.says) if part)
    return f"{known}; the server says: {text} ({code})" if known else f"{text} ({code})"
