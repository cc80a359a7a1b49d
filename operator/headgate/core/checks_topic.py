"""Rules about one topic that its model cannot prove. Knows no broker by name."""

from collections.abc import Iterator
from typing import Final

from headgate.api import Storage
from headgate.core.outcomes import Outcome
from headgate.core.rule import Broken, Rule
from headgate.core.subjects import ONE, REST, SEPARATOR, collisions, overlaps
from headgate.core.topic_subjects import subjects_of
from headgate.core.topology import Topic
from headgate.core.words import shown

RESERVED_FIRST: Final = ("$", "_INBOX")  # what the first word of a subject may not begin with
OUR_SUBJECTS: Final = "hg.*.>"  # the private way back of every topic's groups


def _reserved(topic: Topic) -> Iterator[Broken]:
    for position, subject in enumerate(subjects_of(topic.declared.spec, topic.external_name)):
        if subject.startswith(RESERVED_FIRST) or overlaps(subject, OUR_SUBJECTS):
            yield Broken(
                f"spec.subjects[{position}]",
                f"{subject} reaches into subjects that are kept for brokers and for Headgate: begin it with a word of "
                "your own, not with a wildcard, hg, $ or _INBOX",
            )


def _colliding(topic: Topic) -> Iterator[Broken]:
    for one, other in collisions(topic.declared.spec.subjects or ()):
        yield Broken("spec.subjects", f"{one} and {other} have subjects in common: keep the wider one only")


def _keyless(topic: Topic) -> Iterator[Broken]:
    spec = topic.declared.spec
    if spec.key is None:
        return
    for subject in subjects_of(spec, topic.external_name):
        stars = subject.split(SEPARATOR).count(ONE)
        if stars < spec.key.wildcard:
            yield Broken(
                "spec.key.wildcard",
                f"{subject} has {stars} words that are {ONE}: count them from 1, {REST} is none",
            )


def _forgetful(topic: Topic) -> Iterator[Broken]:
    spec = topic.declared.spec
    window = spec.deduplication and spec.deduplication.window
    if window and spec.retention.max_age and window > spec.retention.max_age:
        yield Broken(
            "spec.deduplication.window",
            f"ids are remembered for {shown('', window)} and events kept for "
            f"{shown('', spec.retention.max_age)}: make the window at most retention.maxAge",
        )


def _oversized(topic: Topic) -> Iterator[Broken]:
    spec = topic.declared.spec
    size, room = spec.max_message_size, spec.retention.max_bytes
    if size and room and size > room:
        yield Broken(
            "spec.maxMessageSize",
            f"an event of {shown('size', size)} does not fit into retention.maxBytes of {shown('size', room)}: make one "
            "smaller or the other larger",
        )


def _volatile(topic: Topic) -> Iterator[Broken]:
    spec = topic.declared.spec
    if spec.storage is Storage.MEMORY and spec.tolerated_outage:
        yield Broken(
            "spec.storage",
            "events in memory do not outlive the broker's servers: toleratedOutage needs storage File",
        )


RULES: Final[tuple[Rule[Topic], ...]] = (
    Rule(
        "HG110",
        Outcome.REFUSED,
        "SubjectReserved",
        "Subjects stay out of what brokers and Headgate keep for themselves",
        "Subjects whose first word begins with $ or _INBOX belong to the broker and its clients. Below hg every topic has "
        "the private way by which delayed retries and redriven events come back to one group. A subject that begins "
        "with a wildcard and is long enough would take them in.",
        _reserved,
    ),
    Rule(
        "HG111",
        Outcome.REFUSED,
        "SubjectsCollide",
        "The subjects of one topic have nothing in common",
        "Two subjects of a list that take the same event are refused by brokers, and one of them is more than needed.",
        _colliding,
    ),
    Rule(
        "HG112",
        Outcome.REFUSED,
        "KeyNotInSubject",
        "The key is in every subject",
        "spec.key.wildcard counts the words of a subject that are *, from 1. Each subject of the topic must have so many, "
        "else its events would have no key.",
        _keyless,
    ),
    Rule(
        "HG113",
        Outcome.REFUSED,
        "WindowTooLong",
        "Ids are remembered no longer than events are kept",
        "A deduplication.window beyond retention.maxAge would drop an event as a repetition of one that is gone already; "
        "brokers refuse it.",
        _forgetful,
    ),
    Rule(
        "HG114",
        Outcome.REFUSED,
        "EventsDoNotFit",
        "One event fits into the topic",
        "An event of spec.maxMessageSize must fit into retention.maxBytes, else publishers are refused for ever.",
        _oversized,
    ),
    Rule(
        "HG115",
        Outcome.WARNING,
        "OutageLosesEvents",
        "A tolerated outage needs events on disk",
        "spec.toleratedOutage promises that readers find their events after an outage. Events in memory are gone when the "
        "broker's servers were part of it.",
        _volatile,
    ),
)
