"""Everything that was seen in the cluster, indexed by who depends on whom. Knows no broker and writes nothing."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, cast

from headgate.api import KINDS, FieldError, Kind, load
from headgate.core.claims import Owner, Record
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import BROKER, Index
from headgate.core.pledges import PLEDGE
from headgate.core.resolve import broker_of, references
from headgate.engine.alike import shared
from headgate.engine.records import record_of

FINALIZER: Final = "headgate.dev/finalizer"
ANNOTATIONS: Final = "headgate.dev/"
STORES: Final = {
    "EventBroker": "brokers",
    "EventTopic": "topics",
    "ConsumerGroup": "groups",
    "RetryPolicy": "policies",
    "DeadLetterQueue": "queues",
}
_KINDS: Final[Mapping[str, Kind]] = {kind.kind: kind for kind in KINDS}


@dataclass(slots=True)
class Entry:
    """One custom resource as last seen, with all that is needed to write to it."""

    ref: Ref
    uid: str
    version: int  # metadata.resourceVersion, which grows with every write
    generation: int
    finalizers: tuple[str, ...]
    status: Mapping[str, Any]
    declared: Declared[Any] | None  # None: the spec cannot be read, see errors
    errors: tuple[FieldError, ...] = ()
    deleting_since: datetime | None = None

    @property
    def guarded(self) -> bool:
        """Whether the object waits for us before it goes."""
        return FINALIZER in self.finalizers

    @property
    def leaving(self) -> bool:
        """Whether the object is on its way out, alone or with its namespace."""
        return self.deleting_since is not None


class World:
    """The watched objects as one estate. `on_dirty` is called with every object that a change may concern."""

    def __init__(self, installation: str, on_dirty: Callable[[Iterable[Ref]], None]) -> None:
        self.estate = Estate(installation, {}, {}, {}, {}, {}, {})
        self.index = Index()
        self.entries: dict[Ref, Entry] = {}
        self.ending: dict[str, datetime] = {}  # namespaces that are being deleted, since when
        self._sights: set[str | None] = set()  # namespaces whose objects are all known; None: all of them
        self._dependents: dict[Ref, set[Ref]] = {}
        self._references: dict[Ref, tuple[Ref, ...]] = {}
        self._sent: dict[Ref, Mapping[str, Any]] = {}
        self._on_dirty = on_dirty

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        """Take note of a watched object; None is how the first listing reports."""
        ref = Ref(kind, body["metadata"]["namespace"], body["metadata"]["name"])
        if event == "DELETED":
            self._lose(ref, body)
        elif self._absorb(ref, body):
            self._on_dirty((ref, *self.dependents(ref)))

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        """Take note of a namespace: its labels decide who may use what."""
        name = body["metadata"]["name"]
        labels = MappingProxyType(dict(body["metadata"].get("labels") or {}))
        namespaces = cast("dict[str, Mapping[str, str]]", self.estate.namespaces)
        before = namespaces.get(name)
        if event == "DELETED":
            namespaces.pop(name, None)
        else:
            namespaces[name] = labels
        if before != namespaces.get(name):
            self._on_dirty(self._in(name))
        ends = _time(body["metadata"].get("deletionTimestamp"))
        self.see_ending(name, None if event == "DELETED" else ends)

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        """Take note that a namespace is being deleted: everything in it is on its way out, asked one by one or not yet.

        There is no way back from that, and no time either: rights that live in the namespace go with it.
        """
        if since is None:
            self.ending.pop(namespace, None)
        elif namespace not in self.ending:
            self.ending[namespace] = since
            for ref in self._in(namespace):
                entry = self.entries[ref]
                entry.deleting_since = entry.deleting_since or since
                if entry.declared is not None and not entry.declared.deleting:
                    entry.declared = replace(entry.declared, deleting=True)
                    self._file(entry)
            self._on_dirty(self._concerned(self._in(namespace)))

    def listed(self, namespaces: Iterable[str | None]) -> None:
        """Everything in these namespaces was told, None for all of them: what is not known from there is not there."""
        self._sights.update(namespaces)

    def is_gone(self, owner: Owner) -> bool:
        """Whether the custom resource that a mark names is known not to exist any more.

        It is known of our own installation only, and only where everything is seen.
        """
        seen = None in self._sights or owner.namespace in self._sights
        ref = Ref(owner.kind, owner.namespace, owner.name)
        return owner.installation == self.estate.installation and seen and ref not in self.entries

    def expect(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Take note of a status about to be written, so that its echo on the watch is no news."""
        self._sent[ref] = status

    def absorb(self, ref: Ref, body: Mapping[str, Any]) -> None:
        """Take note of the answer to a write of our own. It may tell of somebody else's, too, and then tells it first."""
        before = self.entries.get(ref)
        self._absorb(ref, body)
        after = self.entries[ref]
        if before is None or before is after:
            return
        if _was_edited(before, after):
            self._on_dirty((ref, *self.dependents(ref)))
        if before.guarded and not after.guarded and after.deleting_since is not None:
            self._on_dirty(self._waiting_for(ref))

    def gone(self, ref: Ref) -> None:
        """Take note that a write found the object gone; the watch says the same, only later."""
        if ref in self.entries:
            self._lose(ref, None)

    def dependents(self, ref: Ref) -> set[Ref]:
        """Everything that refers to an object, directly or through others, and everything that it refers to.

        What it refers to is in because it reports on its users: how many use a policy, what a queue receives.
        """
        found: set[Ref] = set()
        pending = [ref]
        while pending:
            for user in self._dependents.get(pending.pop(), ()):
                if user not in found:
                    found.add(user)
                    pending.append(user)
        for user in (ref, *found):
            found = found | {used for used in self._references.get(user, ()) if used.kind != BROKER}
        found.discard(ref)
        return found & self.entries.keys()

    def users(self, ref: Ref) -> set[Ref]:
        """Everything that directly refers to an object."""
        return self._dependents.get(ref, set()) & self.entries.keys()

    def needed_by(self, ref: Ref) -> set[Ref]:
        """The same, without what was let go of and only waits for others to let it go."""
        entries = self.entries
        return {user for user in self.users(ref) if entries[user].guarded or not entries[user].leaving}

    def broker_of(self, ref: Ref) -> Ref | None:
        """The EventBroker an object lives on; None for objects of no broker, or while references dangle."""
        return broker_of(self.estate, ref)

    def of_broker(self, broker: Ref | None) -> list[Ref]:
        """Every object that lives on a broker, itself included; for None those that live on none."""
        return [ref for ref in self.entries if self.broker_of(ref) == broker]

    def _store(self, ref: Ref) -> dict[Ref, Declared[Any]]:
        return cast("dict[Ref, Declared[Any]]", getattr(self.estate, STORES[ref.kind]))

    def _lose(self, ref: Ref, body: Mapping[str, Any] | None) -> None:
        entry = self.entries.get(ref)
        if entry is None or (body is not None and body["metadata"]["uid"] != entry.uid):
            return
        concerned = self.dependents(ref) | self._waiting_for(ref)
        del self.entries[ref]
        self._unfile(ref)
        self._sent.pop(ref, None)
        self._on_dirty((ref, *concerned))

    def _in(self, namespace: str) -> list[Ref]:
        return [ref for ref in self.entries if ref.namespace == namespace]

    def _concerned(self, refs: Collection[Ref]) -> dict[Ref, None]:
        return dict.fromkeys((*refs, *(other for ref in refs for other in self.dependents(ref))))

    def _waiting_for(self, ref: Ref) -> set[Ref]:
        """What is on its way out too and stayed for this object."""
        used = self.entries.keys() & set(self._references.get(ref, ()))
        return {other for other in used if self.entries[other].leaving}

    def _absorb(self, ref: Ref, body: Mapping[str, Any]) -> bool:
        """Whether anything changed that a decision may look at."""
        meta = body["metadata"]
        before = self.entries.get(ref)
        version = int(meta["resourceVersion"])
        if before is not None and before.uid == meta["uid"] and version <= before.version:
            return False
        entry = self._read(ref, body, before)
        self.entries[ref] = entry
        if before is None or before.declared is not entry.declared:
            self._file(entry)
        changed = before is None or _differs(before, entry, self._sent.get(ref))
        self._settle(entry)
        return changed

    def _settle(self, entry: Entry) -> None:
        """What was sent has arrived. It is kept in place of what was read: its keys and words are one copy for all."""
        sent = self._sent.get(entry.ref)
        if sent is not None and sent == entry.status:
            entry.status = sent
            del self._sent[entry.ref]

    def _file(self, entry: Entry) -> None:
        if entry.declared is None:
            self._unfile(entry.ref)
            return
        self._store(entry.ref)[entry.ref] = entry.declared
        self._refer(entry.ref, references(entry.declared))
        self.index.put(entry.declared)

    def _unfile(self, ref: Ref) -> None:
        if self._store(ref).pop(ref, None) is not None:
            self.index.drop(ref)
        self._refer(ref, ())

    def _read(self, ref: Ref, body: Mapping[str, Any], before: Entry | None) -> Entry:
        meta = body["metadata"]
        status = body.get("status") or {}
        same = before is not None and before.uid == meta["uid"] and before.generation == meta["generation"]
        if same and before is not None:
            declared, errors = before.declared, before.errors
        else:
            declared, errors = _declare(ref, body)
        asked, ends = _time(meta.get("deletionTimestamp")), self.ending.get(ref.namespace)
        since = min(filter(None, (asked, ends)), default=None)
        if declared is not None:
            record = record_of(status.get("record") or {})
            declared = _renew(declared, meta, record, deleting=since is not None)
        return Entry(
            ref=ref,
            uid=meta["uid"],
            version=int(meta["resourceVersion"]),
            generation=meta["generation"],
            finalizers=tuple(meta.get("finalizers") or ()),
            status=status,
            declared=declared,
            errors=errors,
            deleting_since=since,
        )

    def _refer(self, ref: Ref, to: tuple[Ref, ...]) -> None:
        for old in self._references.get(ref, ()):
            if old not in to and (users := self._dependents.get(old)) is not None:
                users.discard(ref)
                if not users:
                    del self._dependents[old]
        for new in to:
            self._dependents.setdefault(new, set()).add(ref)
        if to:
            self._references[ref] = to
        else:
            self._references.pop(ref, None)


def _declare(ref: Ref, body: Mapping[str, Any]) -> tuple[Declared[Any] | None, tuple[FieldError, ...]]:
    meta = body["metadata"]
    loaded = load(_KINDS[ref.kind], body.get("spec") or {}, strict=False)
    if isinstance(loaded, list):
        return None, tuple(loaded)
    created = _time(meta.get("creationTimestamp"))
    return Declared(ref, meta["uid"], meta["generation"], shared(loaded), created), ()


def _renew(
    declared: Declared[Any], meta: Mapping[str, Any], record: Record, *, deleting: bool
) -> Declared[Any]:
    ours = {k: v for k, v in (meta.get("annotations") or {}).items() if k.startswith(ANNOTATIONS)}
    if declared.annotations == ours and declared.deleting == deleting and declared.record == record:
        return declared
    return replace(declared, annotations=MappingProxyType(ours), deleting=deleting, record=record)


def _differs(before: Entry, after: Entry, sent: Mapping[str, Any] | None) -> bool:
    """A finalizer that appeared is our own; one that vanished was taken away by somebody."""
    return (
        _was_edited(before, after)
        or (before.guarded and not after.guarded)
        or after.status not in (before.status, sent)
    )


def _was_edited(before: Entry, after: Entry) -> bool:
    """Whether a person did something."""
    return (
        before.uid != after.uid
        or before.generation != after.generation
        or _intent(before.declared) != _intent(after.declared)
        or before.deleting_since != after.deleting_since
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _intent(declared: Declared[Any] | None) -> object:
    """What a person changes without a new generation; the record is our own, and so is one annotation."""
    if declared is None:
        return None
    theirs = declared.annotations
    if PLEDGE in theirs:
        theirs = {name: value for name, value in theirs.items() if name != PLEDGE}
    return (theirs, declared.deleting)
