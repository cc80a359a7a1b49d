"""Rules about one consumer group together with its topic, its retry policy and its dead letters. Knows no broker by name."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from headgate.api import OnExhausted
from headgate.core.outcomes import Outcome
from headgate.core.retry import worst_case
from headgate.core.rule import Broken, Rule
from headgate.core.schedule import is_time_zone, unreadable_cron
from headgate.core.subjects import collisions, inside
from headgate.core.topic_subjects import reshaped, subjects_of
from headgate.core.topology import ENVELOPE, Group
from headgate.core.words import shown


def _outside(group: Group) -> Iterator[Broken]:
    spec, topic = group.declared.spec, group.topic
    if spec.filter is None or reshaped(topic.declared.spec):
        return
    subjects = subjects_of(topic.declared.spec, topic.external_name)
    for position, subject in enumerate(spec.filter.subjects):
        if not inside(subjects, subject):
            yield Broken(
                f"spec.filter.subjects[{position}]",
                f"{subject} is not inside one of the topic's subjects {', '.join(subjects)}: it would wait for events "
                "that cannot come",
            )


def _colliding(group: Group) -> Iterator[Broken]:
    wanted = group.declared.spec.filter
    for one, other in collisions(wanted.subjects if wanted else ()):
        yield Broken(
            "spec.filter.subjects",
            f"{one} and {other} have subjects in common: keep the wider one, or split them",
        )


def _outage(group: Group) -> Iterator[Broken]:
    spec = group.topic.declared.spec
    kept, outage = spec.retention.max_age, spec.tolerated_outage
    if kept and outage and kept < (worst := worst_case(group.policy)) + outage:
        yield Broken(
            "spec.retryPolicyRef",
            f"the topic keeps events for {shown('', kept)}, less than toleratedOutage {shown('', outage)} and "
            f"attempts and waits of {shown('', worst)} together: keep events longer, or retry for a shorter time",
        )


def _expiring(group: Group) -> Iterator[Broken]:
    spec = group.topic.declared.spec
    kept = spec.retention.max_age
    if kept and not spec.tolerated_outage and kept < (worst := worst_case(group.policy)):
        yield Broken(
            "spec.retryPolicyRef",
            f"the topic keeps events for {shown('', kept)}, and attempts and waits may take "
            f"{shown('', worst)}: events can be gone before their last attempt",
        )


def _late(group: Group) -> Iterator[Broken]:
    freshness = group.declared.spec.freshness
    if (
        freshness
        and freshness.settled_within
        and freshness.settled_within < (worst := worst_case(group.policy))
    ):
        yield Broken(
            "spec.freshness.settledWithin",
            f"attempts and waits may take {shown('', worst)}, longer than settledWithin "
            f"{shown('', freshness.settled_within)}: promise more time, or retry for a shorter one",
        )


def _stale(group: Group) -> Iterator[Broken]:
    freshness, kept = group.declared.spec.freshness, group.topic.declared.spec.retention.max_age
    if freshness and kept and freshness.max_age > kept:
        yield Broken(
            "spec.freshness.maxAge",
            f"the topic keeps events for {shown('', kept)}, so one of {shown('', freshness.max_age)} cannot be "
            "handled: promise less than the topic keeps",
        )


def _hasty(group: Group) -> Iterator[Broken]:
    freshness, attempt = group.declared.spec.freshness, _attempt(group)
    if freshness and attempt and freshness.max_age < attempt:
        yield Broken(
            "spec.freshness.maxAge",
            f"one attempt may take {shown('', attempt)}, and while every replica is at one a new event waits as long: "
            f"promise more than {shown('', freshness.max_age)}, or allow an attempt less time",
        )


def _attempt(group: Group) -> timedelta | None:
    """How long one attempt takes by what is declared of a replica, else how long it may; None: nobody says."""
    spec = group.declared.spec
    capacity = spec.scaling.capacity if spec.scaling else None
    if capacity is None:
        return group.policy.handling_timeout if group.policy_ref else None
    at_once = spec.concurrency.per_replica if spec.concurrency else None
    return timedelta(seconds=(at_once or 1) / float(capacity.events_per_second_per_replica))


def _truncated(group: Group) -> Iterator[Broken]:
    size, queue = group.topic.declared.spec.max_message_size, group.queue
    room = queue and queue.declared.spec.max_message_size
    if room and size and room < size + ENVELOPE:
        yield Broken(
            "spec.deadLetterQueueRef",
            f"the queue takes dead letters of {shown('size', room)}, and the topic's events of {shown('size', size)} need "
            f"{shown('size', size + ENVELOPE)} with their history: raise the queue's maxMessageSize or leave it out",
        )


def _unbounded(group: Group) -> Iterator[Broken]:
    queue = group.queue
    if queue and queue.declared.spec.max_message_size and not group.topic.declared.spec.max_message_size:
        yield Broken(
            "spec.deadLetterQueueRef",
            "the queue bounds its dead letters and the topic does not bound its events: larger ones are kept without "
            "their body; set the topic's maxMessageSize, or leave out the queue's",
        )


def _dropping(group: Group) -> Iterator[Broken]:
    if group.queue and group.policy.on_exhausted is OnExhausted.DROP:
        yield Broken(
            "spec.deadLetterQueueRef",
            "the retry policy drops events after their last attempt, so they never reach the queue: say onExhausted: "
            "DeadLetter there, or leave the queue out",
        )


def _crowded(group: Group) -> Iterator[Broken]:
    scaling, partitions = group.declared.spec.scaling, group.topic.declared.spec.partitions
    if scaling and partitions and scaling.max_replicas > partitions:
        yield Broken(
            "spec.scaling.maxReplicas",
            f"{scaling.max_replicas} replicas share {partitions} partitions: those beyond that have nothing to do",
        )


def _unreadable(group: Group) -> Iterator[Broken]:
    scaling = group.declared.spec.scaling
    for position, window in enumerate(scaling.schedule or () if scaling else ()):
        at = f"spec.scaling.schedule[{position}]"
        if why := unreadable_cron(window.cron):
            yield Broken(
                f"{at}.cron",
                f"{window.cron} says no time ({why}): write minute, hour, day of the month, month and day of the week, "
                "e.g. 0 8 * * 1-5",
            )
        if not is_time_zone(window.time_zone):
            yield Broken(
                f"{at}.timeZone",
                f"there is no time zone {window.time_zone}: write its name in the IANA database, e.g. Europe/Berlin",
            )


RULES: Final[tuple[Rule[Group], ...]] = (
    Rule(
        "HG120",
        Outcome.REFUSED,
        "FilterOutsideTopic",
        "A filter lies inside the topic's subjects",
        "Each subject of spec.filter must be covered by one subject of the topic, as they are published. What lies "
        "outside never arrives, so it is a mistake.",
        _outside,
    ),
    Rule(
        "HG121",
        Outcome.REFUSED,
        "FiltersCollide",
        "The subjects of one filter have nothing in common",
        "Brokers refuse a filter with two subjects that take the same event.",
        _colliding,
    ),
    Rule(
        "HG122",
        Outcome.REFUSED,
        "RetentionTooShort",
        "Retention covers the tolerated outage and the retries",
        "With spec.toleratedOutage on the topic, retention.maxAge must be at least that plus the worst case of the group's "
        "retry policy: attempts * handlingTimeout + the sum of all waits * (1 + jitter).",
        _outage,
    ),
    Rule(
        "HG123",
        Outcome.WARNING,
        "RetriesOutliveEvents",
        "Events are kept until their last attempt",
        "retention.maxAge of the topic is shorter than the worst case of the group's retry policy, so an event can be gone "
        "before it was tried for the last time.",
        _expiring,
    ),
    Rule(
        "HG124",
        Outcome.WARNING,
        "SettledTooLate",
        "Retries end within the promised time",
        "The worst case of the retry policy is longer than freshness.settledWithin: the promise can be broken by one event "
        "that fails again and again, however many workers there are.",
        _late,
    ),
    Rule(
        "HG125",
        Outcome.WARNING,
        "PromiseBeyondRetention",
        "The promise ends before events do",
        "freshness.maxAge is longer than the topic keeps events, so events can be lost while the promise is kept.",
        _stale,
    ),
    Rule(
        "HG126",
        Outcome.REFUSED,
        "DeadLettersTooLarge",
        "A dead letter fits into its queue",
        "A dead letter is the event plus up to 16Ki of headers that say what happened to it. The maxMessageSize of the queue "
        "must be that much above the topic's.",
        _truncated,
    ),
    Rule(
        "HG127",
        Outcome.WARNING,
        "DeadLettersUnbounded",
        "A bounded queue has bounded sources",
        "The queue says how large a dead letter may be and the topic does not say how large an event may be. A dead letter "
        "that does not fit is kept as an envelope without its body.",
        _unbounded,
    ),
    Rule(
        "HG128",
        Outcome.WARNING,
        "DeadLettersDropped",
        "A queue is named only where something is put into it",
        "With onExhausted: Drop events are forgotten after the last attempt; only those that a worker gives up by itself "
        "reach the queue.",
        _dropping,
    ),
    Rule(
        "HG129",
        Outcome.WARNING,
        "MoreReplicasThanPartitions",
        "No more replicas than partitions",
        "On a topic with partitions each is read by one replica of the group, so replicas beyond their number are idle.",
        _crowded,
    ),
    Rule(
        "HG130",
        Outcome.REFUSED,
        "ScheduleUnreadable",
        "A schedule says times that come",
        "cron has five fields that Debian's cron would understand, timeZone is in the IANA time zone database.",
        _unreadable,
    ),
    Rule(
        "HG131",
        Outcome.WARNING,
        "PromiseBelowHandling",
        "A promise is longer than one attempt",
        "While every replica is busy a new event waits until one is done, however many there are. One attempt takes "
        "concurrency.perReplica / scaling.capacity where that is declared, else up to the handlingTimeout of the retry "
        "policy that the group names; freshness.maxAge is longer than that.",
        _hasty,
    ),
)
