"""What a refusal of the server becomes: a field, what is expected and what to do, never less than its own words."""

import asyncio
import re
from datetime import UTC, datetime

import pytest

from headgate.brokers.base import Unavailable, Unreachable
from headgate.brokers.nats.jetstream import Rejected
from headgate.brokers.nats.memory import MemoryJetStream, Refusal
from headgate.brokers.nats.refusals import BY_CODE, BY_TEXT, explained, told
from headgate.brokers.pace import Pace

# What servers say, as errors.json of nats-server and its checks of configurations have it: code, text, reason, field, way out.
SAID: dict[str, tuple[int, str, str, str, str]] = {
    "a window longer than the retention": (
        10052,
        "duplicates window can not be larger then max age",
        "InvalidSetting",
        "spec.deduplication.window",
        "at most retention.maxAge",
    ),
    "a retention that is too short": (
        10052,
        "max age needs to be >= 100ms",
        "InvalidSetting",
        "spec.retention.maxAge",
        "at least 100ms",
    ),
    "a window that is too short": (
        10052,
        "duplicates window needs to be >= 100ms",
        "InvalidSetting",
        "spec.deduplication.window",
        "at least 100ms",
    ),
    "another storage": (
        10052,
        "stream configuration update can not change storage type",
        "ImmutableSetting",
        "spec.storage",
        "declare the old value again",
    ),
    "another retention": (
        10052,
        "stream configuration update can not change retention policy to/from workqueue",
        "ImmutableSetting",
        "spec.native.nats.retention",
        "another externalName",
    ),
    "another acknowledgement": (
        10012,
        "ack policy can not be updated",
        "ImmutableSetting",
        "spec.native.nats.ackPolicy",
        "declare the old value again",
    ),
    "another start": (
        10012,
        "deliver policy can not be updated",
        "ImmutableSetting",
        "spec.start",
        "declare",
    ),
    "more waiting pulls": (
        10012,
        "max waiting can not be updated",
        "ImmutableSetting",
        "spec.native.nats.maxWaiting",
        "declare",
    ),
    "memory instead of the disk": (
        10012,
        "storage type can not be updated",
        "ImmutableSetting",
        "spec.native.nats.memStorage",
        "declare",
    ),
    "a reader that somebody made to be pushed to": (
        10012,
        "can not update push consumer to pull based",
        "ImmutableSetting",
        "spec.externalName",
        "choose another",
    ),
    "a subject that stands there twice": (
        10052,
        "duplicate subjects detected",
        "InvalidSetting",
        "spec.subjects",
        "leave one out",
    ),
    "a subject inside another": (
        10052,
        'subject "a.b" overlaps with "a.>"',
        "InvalidSetting",
        "spec.subjects",
        "the narrower one",
    ),
    "subjects of the server": (
        10052,
        "subjects that overlap with jetstream api require no-ack to be true",
        "InvalidSetting",
        "spec.subjects",
        "declare others",
    ),
    "copies that nobody can hold": (
        10005,
        "no suitable peers for placement, tags not matched ['ssd']",
        "NoSuitablePeers",
        "spec.replicas",
        "native.nats.placement",
    ),
    "copies on one server": (
        10074,
        "replicas > 1 not supported in non-clustered mode",
        "ReplicasNotPossible",
        "spec.replicas",
        "declare 1",
    ),
    "more disk than there is": (
        10047,
        "insufficient storage resources available",
        "InsufficientResources",
        "spec.retention.maxBytes",
        "lower retention.maxBytes",
    ),
    "an account that demands a bound": (
        10113,
        "account requires a stream config to have max bytes set",
        "MaxBytesRequired",
        "spec.retention.maxBytes",
        "declare one",
    ),
    "more in flight than the topic allows": (
        10121,
        "consumer max ack pending exceeds system limit of 10",
        "InvalidSetting",
        "spec.concurrency.total",
        "consumerLimits",
    ),
    "more idleness than the topic allows": (
        10153,
        "consumer inactive threshold exceeds system limit of 10s",
        "InvalidSetting",
        "spec.native.nats.inactiveThreshold",
        "declare less",
    ),
    "filters that overlap": (
        10138,
        "consumer subject filters cannot overlap",
        "FiltersOverlap",
        "spec.filter.subjects",
        "the narrower one",
    ),
    "two groups on one work queue": (
        10100,
        "filtered consumer not unique on workqueue stream",
        "FiltersOverlap",
        "spec.filter.subjects",
        "disjoint",
    ),
    "more waits than attempts": (
        10116,
        "max deliver is required to be > length of backoff values",
        "InvalidSetting",
        "spec.retryPolicyRef",
        "raise attempts",
    ),
    "a transform that fits nothing": (
        10156,
        "stream transform: invalid transform",
        "InvalidSetting",
        "spec.native.nats.subjectTransform",
        "{{wildcard(n)}}",
    ),
    "a mirror that moves": (
        10055,
        "stream mirror configuration can not be updated",
        "ImmutableSetting",
        "spec.native.nats.mirror",
        "declare the old value again",
    ),
    "a sealed stream": (
        10109,
        "invalid operation on sealed stream",
        "InvalidSetting",
        "spec.native.nats.sealed",
        "never changes again",
    ),
    "a priority group without a name": (
        10161,
        "Group name cannot be an empty string",
        "InvalidSetting",
        "spec.native.nats.priorityGroups",
        "declare one",
    ),
}


@pytest.mark.parametrize("what", SAID, ids=str)
def test_a_refusal_names_the_field_and_the_way_out(what: str) -> None:
    """The server's words and its code stay, for those who search for them."""
    code, text, reason, field, way = SAID[what]
    error = Rejected(code, text)
    assert error.reason == reason
    assert str(error).startswith(f"{field}: ")
    assert way in str(error)
    assert str(error).endswith(f"the server says: {text} ({code})")


@pytest.mark.parametrize("code", [10012, 10052, 10999], ids=str)
def test_what_nobody_knows_keeps_the_words_of_the_server(code: int) -> None:
    """No field is guessed."""
    assert told(code, "something new") == f"something new ({code})"
    assert explained(code, "something new").reason == "InvalidSetting"


def test_every_sentence_is_reached_by_its_own_piece_of_text() -> None:
    """No piece stands behind a shorter one that swallows it."""
    hidden = [piece for piece, found in BY_TEXT.items() if explained(10052, piece) is not found]
    assert not hidden


def test_every_field_is_one_of_a_manifest_and_has_a_way_out() -> None:
    """A field without a sentence, or one of the server's own names, helps nobody."""
    for found in (*BY_CODE.values(), *BY_TEXT.values()):
        assert not found.field or (found.says and re.fullmatch(r"spec(\.[a-z][A-Za-z]*)+", found.field)), (
            found
        )


class Answering(MemoryJetStream):
    """Every question gets the same refusal."""

    refusal: Refusal

    def _reach(self, verb: list[str]) -> None:
        del verb
        raise self.refusal


PASSING = {
    "a stream without a leader": (
        "STREAM.INFO.orders",
        Refusal(10008, "temporarily unavailable", 503),
        Unavailable,
    ),
    "a stream that is being moved": ("STREAM.UPDATE.orders", Refusal(10124, "in progress"), Unavailable),
    "a consumer that is offline": ("CONSUMER.INFO.orders.b", Refusal(10119, "offline", 500), Unavailable),
    "trouble without a name": ("STREAM.INFO.orders", Refusal(10999, "trouble", 503), Unavailable),
    "a stream whose forerunner is still on the disk": (
        "STREAM.CREATE.orders",
        Refusal(10049, "error creating store for stream", 500),
        Unavailable,
    ),
    "a cluster without a leader": ("INFO", Refusal(10008, "temporarily unavailable", 503), Unreachable),
    "lists without a leader": ("STREAM.LIST", Refusal(10008, "temporarily unavailable", 503), Unreachable),
}


@pytest.mark.parametrize("what", PASSING, ids=str)
async def test_what_may_pass_is_said_of_one_object_or_of_all(what: str) -> None:
    """A question about one object says nothing about the others."""
    js = Answering(lambda: datetime(2026, 11, 20, tzinfo=UTC), level=5, nodes=3)
    verb, js.refusal, kind = PASSING[what]
    with pytest.raises(Unreachable) as error:
        await js.call(Pace(1_000, asyncio.Semaphore(1)), verb)
    assert type(error.value) is kind
