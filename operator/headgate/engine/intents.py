"""From resolved and compiled objects to claims and farewells: what each custom resource wants right now. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from headgate.api import AdoptionPolicy, DeletionPolicy, Mode, OnVanished, Storage
from headgate.brokers.base import Driver, Traits
from headgate.core.claims import Claim, Farewell, Owner, Record
from headgate.core.compiled import Compiled
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import GROUP, QUEUE, TOPIC, Index, external_name, target
from headgate.core.outcomes import Finding, Outcome
from headgate.core.pledges import PLEDGE, is_pledged
from headgate.core.progress import Position
from headgate.core.resource import Key, Resource
from headgate.core.tenancy import may_adopt, may_delete, template_of
from headgate.core.topology import Topology

ACKNOWLEDGE: Final = "headgate.dev/acknowledge"
CONFIRM_DELETE: Final = "headgate.dev/confirm-delete"
STOPPING: Final = frozenset({Outcome.REFUSED, Outcome.WAITING, Outcome.CONFLICT})


@dataclass(frozen=True, slots=True)
class Intent:
    """What one custom resource wants of its broker in this pass."""

    ref: Ref
    owner: Owner
    claims: tuple[Claim, ...] = ()
    farewells: tuple[Farewell, ...] = ()
    findings: tuple[Finding, ...] = ()  # beside those of compiling
    compiled: Compiled = field(default_factory=Compiled)
    uid: str = ""
    generation: int = 0
    leaving: bool = False  # as it was when this was decided; it may be asked to go in the meantime

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every broker object that has to be read for it."""
        return tuple(c.desired.key for c in self.claims) + tuple(f.key for f in self.farewells)


def owner_of(ref: Ref, installation: str) -> Owner:
    """The owner's mark of a custom resource."""
    return Owner(installation, ref.kind, ref.namespace, ref.name)


@dataclass(frozen=True, slots=True)
class Situation:
    """What all objects of one pass have in common."""

    estate: Estate
    index: Index
    topology: Topology
    driver: Driver
    compiled: Mapping[Ref, Compiled]
    lost_topics: frozenset[Ref] = frozenset()  # nothing is made inside an object whose data is lost
    frozen: bool = False  # the whole estate vanished: nothing is changed, only looked at
    acknowledged: frozenset[Key] = frozenset()  # objects whose loss was acknowledged all at once
    position: Callable[[Ref], Position | None] = lambda _: None  # of a group, newer than its status knows


def intent_of(declared: Declared[Any], situation: Situation) -> Intent:
    """What one custom resource wants: nothing while it is refused or waits, less and less while it goes."""
    owner = owner_of(declared.ref, situation.estate.installation)
    compiled = situation.compiled.get(declared.ref, Compiled())
    findings = situation.topology.findings.get(declared.ref, ())
    if declared.deleting:
        users = _living_users(declared, situation)
        return Intent(
            declared.ref,
            owner,
            (),
            () if users else _farewells(declared, owner, situation, compiled),
            _still_used(declared.ref, users),
            compiled,
            declared.uid,
            declared.generation,
            leaving=True,
        )
    findings += _held(declared, situation)
    stopped = any(finding.outcome in STOPPING for finding in (*findings, *compiled.findings))
    claims = () if stopped else tuple(_claim(declared, owner, situation, r) for r in compiled.resources)
    return Intent(declared.ref, owner, claims, (), findings, compiled, declared.uid, declared.generation)


def _living_users(declared: Declared[Any], situation: Situation) -> list[Ref]:
    """Who would lose something if the broker object went now: they stay, whatever else is wrong with them."""
    if declared.ref.kind not in {TOPIC, QUEUE} or deletion_policy(declared.spec) is DeletionPolicy.RETAIN:
        return []
    index, groups = situation.index, situation.estate.groups
    users = index.readers(declared.ref) if declared.ref.kind == TOPIC else index.sources(declared.ref)
    return [ref for ref in users if ref in groups and not groups[ref].deleting]


def _still_used(ref: Ref, users: list[Ref]) -> tuple[Finding, ...]:
    if not users:
        return ()
    names = ", ".join(sorted(f"{user.namespace}/{user.name}" for user in users))
    message = f"{ref.name} is still used by {names}: it is deleted once they are gone, or kept with deletionPolicy Retain"
    return (Finding(Outcome.WAITING, "StillUsed", message),)


def _held(declared: Declared[Any], situation: Situation) -> tuple[Finding, ...]:
    group = situation.topology.groups.get(declared.ref)
    if group is None or group.topic.declared.ref not in situation.lost_topics:
        return ()
    topic = group.topic.declared.ref.name
    return (
        Finding(
            Outcome.WAITING,
            "TopicDataLost",
            f"spec.topicRef: the data of topic {topic} is lost; acknowledge that on the EventTopic first",
            "spec.topicRef",
        ),
    )


def _claim(declared: Declared[Any], owner: Owner, situation: Situation, desired: Resource) -> Claim:
    spec, record = declared.spec, _record(declared, situation)
    mourned = desired.key in situation.acknowledged
    return Claim(
        owner=owner,
        desired=desired,
        uid=declared.uid,
        created=declared.created,
        mode=_mode(spec, frozen=situation.frozen),
        adoption=getattr(spec, "adoption_policy", None) or AdoptionPolicy.IF_MATCHES,
        may_adopt=may_adopt(situation.estate, situation.topology.broker, declared.ref.namespace),
        on_vanished=_on_vanished(spec),
        record=record,
        acknowledged=declared.record.identity if mourned else declared.annotations.get(ACKNOWLEDGE, ""),
        pledged=is_pledged(desired, declared.uid, record, declared.annotations.get(PLEDGE, "")),
    )


def _mode(spec: Any, *, frozen: bool) -> Mode:  # noqa: ANN401  (any kind of spec, some of which have the field)
    """What is suspended is only looked at, and so is everything while nobody knows where the estate went."""
    if getattr(spec, "suspend", False):
        return Mode.OBSERVE
    return Mode.PLAN if frozen else getattr(spec, "mode", None) or Mode.ENFORCE


def _record(declared: Declared[Any], situation: Situation) -> Record:
    """What is remembered, with the newest position, and without one in data that is not there any more."""
    record, group = declared.record, situation.topology.groups.get(declared.ref)
    if group is None:
        return record
    data, seen = group.topic.declared.record.identity, situation.position(declared.ref)
    if seen is not None and seen.checkpoint and seen.topic == data:
        return replace(record, checkpoint=seen.checkpoint, checkpoint_in=data)
    if record.checkpoint_in in ("", data):
        return record
    return replace(record, checkpoint="", checkpoint_in="")


def deletion_policy(spec: Any) -> DeletionPolicy:  # noqa: ANN401  (as above)
    """What only looked at the broker never deletes there."""
    watching = getattr(spec, "mode", None) in {Mode.PLAN, Mode.OBSERVE}
    return DeletionPolicy.RETAIN if watching else spec.deletion_policy


def lets_go(declared: Declared[Any], traits: Traits) -> bool:
    """Whether something has to be done in the broker also where what is there is kept; not by who only looked."""
    kept = declared.spec.deletion_policy is not DeletionPolicy.DELETE  # or may be, for what it holds
    watching = getattr(declared.spec, "mode", None) in {Mode.PLAN, Mode.OBSERVE}
    return declared.ref.kind in traits.releases and kept and not watching


def _on_vanished(spec: Any) -> OnVanished:  # noqa: ANN401  (any kind of spec, some of which have the field)
    asked = getattr(spec, "on_vanished", None)
    memory = getattr(spec, "storage", None) is Storage.MEMORY
    return asked or (OnVanished.RECREATE if memory else OnVanished.HOLD)


def _farewells(
    declared: Declared[Any], owner: Owner, situation: Situation, compiled: Compiled
) -> tuple[Farewell, ...]:
    """What becomes of the broker objects of a custom resource that is going."""
    keys = tuple(resource.key for resource in compiled.resources) or _recorded_keys(declared, situation)
    written = declared.annotations.get(PLEDGE, "")
    pledged = {r.key: r for r in compiled.resources if is_pledged(r, declared.uid, declared.record, written)}
    return tuple(
        Farewell(
            owner=owner,
            key=key,
            policy=deletion_policy(declared.spec),
            record=declared.record,
            may_delete=may_delete(situation.estate, situation.topology.broker, declared.ref.namespace),
            confirmed=declared.annotations.get(CONFIRM_DELETE, ""),
            lets_go=lets_go(declared, situation.driver.traits),
            pledge=pledged.get(key),
        )
        for key in keys
    )


def _recorded_keys(declared: Declared[Any], situation: Situation) -> tuple[Key, ...]:
    """The objects of something that no longer compiles, by the name that was pinned when they were made."""
    name = declared.record.external_name
    if not name or declared.ref.kind not in {TOPIC, GROUP, QUEUE}:
        return ()
    topic = ""
    if declared.ref.kind == GROUP:
        at = target(declared.ref, TOPIC, declared.spec.topic_ref)
        source = situation.estate.topics.get(at)
        if source is None:
            return ()
        topic = external_name(source, template_of(situation.topology.broker.spec))
    return situation.driver.keys(name, declared.ref.kind, topic)
