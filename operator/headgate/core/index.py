"""Custom resources by the broker they live on, by their name there, by their subjects. Knows no broker."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from headgate.api import ConsumerGroupSpec, DeadLetterQueueSpec, EventBrokerSpec, EventTopicSpec, ObjectRef
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.subject_index import SubjectIndex
from headgate.core.subjects import invalid
from headgate.core.tenancy import DEFAULT_TEMPLATE, rendered, template_of
from headgate.core.topic_subjects import subjects_of

BROKER: Final = "EventBroker"
TOPIC: Final = "EventTopic"
GROUP: Final = "ConsumerGroup"
POLICY: Final = "RetryPolicy"
QUEUE: Final = "DeadLetterQueue"


def target(user: Ref, kind: str, to: ObjectRef) -> Ref:
    """The object that a reference means; without a namespace it is one of the user's own."""
    return Ref(kind, to.namespace or user.namespace, to.name)


def external_name(declared: Declared[Any], template: str) -> str:
    """The name in the broker: as pinned when it was made, else as declared, else as the broker's template gives it."""
    pinned: str = declared.record.external_name or declared.spec.external_name
    return pinned or rendered(template, declared.ref)


@dataclass(frozen=True, slots=True)
class _Filed:
    """Where an object stands in the index."""

    declared: Declared[Any]
    scope: Ref  # in which its name has to be its own: the broker; for a group its topic
    name: str
    subjects: tuple[str, ...] = ()
    queue: Ref | None = None


class Index:
    """What decisions over many objects look up, kept current object by object."""

    def __init__(self) -> None:
        self._filed: dict[Ref, _Filed] = {}
        self._templates: dict[Ref, str] = {}
        self._scopes: dict[Ref, dict[Ref, None]] = {}  # ordered sets: what was declared first comes first
        self._names: dict[tuple[Ref, str], dict[Ref, None]] = {}
        self._subjects: dict[Ref, SubjectIndex[Ref]] = {}
        self._sources: dict[Ref, dict[Ref, None]] = {}

    @classmethod
    def of(cls, estate: Estate) -> Self:
        """The index of everything in an estate."""
        index = cls()
        for store in (estate.brokers, estate.topics, estate.queues, estate.groups):
            for declared in store.values():
                index.put(declared)
        return index

    def put(self, declared: Declared[Any]) -> None:
        """Take note of an object, new or changed."""
        match declared.spec:
            case EventBrokerSpec():
                self._learn(declared.ref, template_of(declared.spec))
            case EventTopicSpec() | DeadLetterQueueSpec() | ConsumerGroupSpec():
                self._file(declared)
            case _:
                pass

    def drop(self, ref: Ref) -> None:
        """Take note that an object is gone."""
        if ref.kind == BROKER:
            self._learn(ref, DEFAULT_TEMPLATE)
            del self._templates[ref]
        else:
            self._unfile(ref)
            self._refile(self._scopes.get(ref, ()))

    def on_broker(self, broker: Ref) -> tuple[Ref, ...]:
        """Topics, dead-letter queues and groups that live on a broker."""
        direct = tuple(self._scopes.get(broker, ()))
        return (*direct, *(group for topic in direct for group in self._scopes.get(topic, ())))

    def readers(self, topic: Ref) -> tuple[Ref, ...]:
        """The groups of a topic."""
        return tuple(self._scopes.get(topic, ()))

    def sources(self, queue: Ref) -> tuple[Ref, ...]:
        """The groups that name a dead-letter queue."""
        return tuple(self._sources.get(queue, ()))

    def rivals(self, ref: Ref) -> tuple[Ref, ...]:
        """Others that want the same name in the broker."""
        filed = self._filed.get(ref)
        return () if filed is None else tuple(r for r in self._names[filed.scope, filed.name] if r != ref)

    def overlapping(self, ref: Ref) -> tuple[Declared[EventTopicSpec], ...]:
        """Other topics of the same broker that take a subject in common with this one.

        Those that want the same name are not among them: there is one object to decide about, not two.
        """
        filed = self._filed[ref]
        others = {o for s in filed.subjects for o in self._subjects[filed.scope].overlapping(s)}
        others -= {ref, *self.rivals(ref)}
        return tuple(self._filed[other].declared for other in sorted(others))

    def _learn(self, broker: Ref, template: str) -> None:
        before = self._templates.get(broker, DEFAULT_TEMPLATE)
        self._templates[broker] = template
        if before != template:
            self._refile(self.on_broker(broker))

    def _refile(self, refs: Iterable[Ref]) -> None:
        for ref in tuple(refs):
            self._file(self._filed[ref].declared)

    def _file(self, declared: Declared[Any]) -> None:
        before, after = self._filed.get(declared.ref), self._place(declared)
        if before is not None and _same_place(before, after):
            self._filed[declared.ref] = after
            return
        self._unfile(declared.ref)
        self._enter(after)
        self._refile(self._scopes.get(declared.ref, ()))

    def _place(self, declared: Declared[Any]) -> _Filed:
        ref, spec = declared.ref, declared.spec
        if isinstance(spec, ConsumerGroupSpec):
            topic = target(ref, TOPIC, spec.topic_ref)
            queue = target(ref, QUEUE, spec.dead_letter_queue_ref) if spec.dead_letter_queue_ref else None
            home = self._filed.get(topic)
            return _Filed(declared, topic, self._name(declared, home.scope if home else None), queue=queue)
        broker = target(ref, BROKER, spec.broker_ref)
        name = self._name(declared, broker)
        subjects = subjects_of(spec, name) if isinstance(spec, EventTopicSpec) else ()
        legal = dict.fromkeys(subject for subject in subjects if invalid(subject) is None)
        return _Filed(declared, broker, name, tuple(legal))

    def _name(self, declared: Declared[Any], broker: Ref | None) -> str:
        template = DEFAULT_TEMPLATE if broker is None else self._templates.get(broker, DEFAULT_TEMPLATE)
        return external_name(declared, template)

    def _enter(self, filed: _Filed) -> None:
        ref = filed.declared.ref
        self._filed[ref] = filed
        self._scopes.setdefault(filed.scope, {})[ref] = None
        self._names.setdefault((filed.scope, filed.name), {})[ref] = None
        for subject in filed.subjects:
            self._subjects.setdefault(filed.scope, SubjectIndex()).add(subject, ref)
        if filed.queue is not None:
            self._sources.setdefault(filed.queue, {})[ref] = None

    def _unfile(self, ref: Ref) -> None:
        filed = self._filed.pop(ref, None)
        if filed is None:
            return
        _take(self._scopes, filed.scope, ref)
        _take(self._names, (filed.scope, filed.name), ref)
        for subject in filed.subjects:
            self._subjects[filed.scope].remove(subject, ref)
        if filed.queue is not None:
            _take(self._sources, filed.queue, ref)


def _same_place(one: _Filed, other: _Filed) -> bool:
    return (one.scope, one.name, one.subjects, one.queue) == (
        other.scope,
        other.name,
        other.subjects,
        other.queue,
    )


def _take(sets: dict[Any, dict[Ref, None]], key: object, ref: Ref) -> None:
    """Take an element out of one of many sets; empty sets go."""
    del sets[key][ref]
    if not sets[key]:
        del sets[key]
