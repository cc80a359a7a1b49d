"""The parts of the adapter that need no server: placing copies, sending together, waiting, logging in."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.base import BrokerError, Credentials, Refused, Unavailable, Unknown, Unreachable
from headgate.brokers.kafka.batching import MOST, Batch
from headgate.brokers.kafka.facts import capabilities, release
from headgate.brokers.kafka.faults import Fault, answered, error
from headgate.brokers.kafka.login import second_settings, settings
from headgate.brokers.kafka.placement import placed
from headgate.brokers.kafka.resources import KafkaTopic, topic_key
from headgate.brokers.kafka.settling import Settling, there
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Key, Observed, Unread

KEY = topic_key("orders")
OLD, NEW = Observed(KafkaTopic(KEY, partitions=1), "1"), Observed(KafkaTopic(KEY, partitions=2), "1")

# Placing copies

held = st.lists(st.permutations(range(1, 6)).map(lambda order: tuple(order[:3])), min_size=1, max_size=20)


@given(held, st.integers(1, 5))
def test_copies_stay_where_they_are_as_far_as_they_may(
    partitions: list[tuple[int, ...]], copies: int
) -> None:
    """Exactly as many as wanted, on different brokers, and the leader stays."""
    before = dict(enumerate(partitions))
    moved = placed(before, range(1, 6), copies)
    for number, brokers in before.items():
        after = moved.get(number, brokers)
        assert len(set(after)) == len(after) == copies
        assert after[: min(3, copies)] == brokers[: min(3, copies)]


@given(st.integers(1, 50))
def test_new_copies_go_to_those_who_keep_fewest(partitions: int) -> None:
    """So brokers end up with about the same."""
    moved = placed(dict.fromkeys(range(partitions), (1,)), (1, 2, 3), 2)
    kept = [broker for brokers in moved.values() for broker in brokers]
    assert abs(kept.count(2) - kept.count(3)) <= 1


def test_copies_on_brokers_that_are_gone_move() -> None:
    """Also where their number stays."""
    assert placed({0: (1, 9)}, (1, 2), 2) == {0: (1, 2)}
    assert placed({0: (1, 2)}, (1, 2), 2) == {}


# Sending together


class Sent:
    """Remembers what was sent together; one item is never answered well."""

    def __init__(self) -> None:
        self.parts: list[Mapping[int, str]] = []

    async def send(self, items: Mapping[int, str]) -> Mapping[int, str]:
        """Answer each item."""
        self.parts.append(dict(items))
        if -1 in items:
            raise Unreachable("TimedOut", "no answer")
        return {key: f"{value}!" for key, value in items.items()}


async def test_what_is_asked_at_the_same_time_is_sent_together() -> None:
    """In parts that are not too large, and everybody gets his own answer."""
    sent = Sent()
    batch: Batch[int, str, str] = Batch(sent.send)
    count = MOST + 5
    answers = await asyncio.gather(*(batch.ask(number, str(number)) for number in range(count)))
    assert answers == [f"{number}!" for number in range(count)]
    assert sorted(len(part) for part in sent.parts) == [5, MOST]


async def test_equal_questions_share_an_answer_and_others_wait_their_turn() -> None:
    """Two values for one key are never in one request."""
    sent = Sent()
    batch: Batch[int, str, str] = Batch(sent.send)
    answers = await asyncio.gather(batch.ask(1, "a"), batch.ask(1, "a"), batch.ask(1, "b"))
    assert list(answers) == ["a!", "a!", "b!"]
    assert sent.parts == [{1: "a"}, {1: "b"}]


async def test_whoever_was_in_a_request_that_failed_hears_of_it() -> None:
    """And the next request is made all the same."""
    sent = Sent()
    batch: Batch[int, str, str] = Batch(sent.send)
    answers = await asyncio.gather(batch.ask(-1, "a"), batch.ask(2, "b"), return_exceptions=True)
    assert all(isinstance(answer, Unreachable) for answer in answers)
    assert await batch.ask(2, "b") == "b!"


# Waiting until a change is seen


class Views:
    """A broker that shows one state after the other, and stays with the last."""

    def __init__(self, *states: Observed | Unread | None) -> None:
        self.states = list(states)

    async def look(self, key: Key) -> Observed | Unread | None:
        """The next state."""
        del key
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def read(self, keys: object) -> Mapping[Key, Observed | Unread]:
        """The next state, as an observation."""
        del keys
        found = await self.look(KEY)
        return {} if found is None else {KEY: found}


async def test_a_change_counts_once_it_is_seen() -> None:
    """Whatever was shown before."""
    settling = Settling(Views(None, OLD, Unread("NoLeader", "wait"), NEW).look, 5)
    assert await settling.shown(KEY, lambda seen: seen == NEW, "the change") == NEW


async def test_a_change_that_is_not_seen_in_time_is_unknown() -> None:
    """It was accepted, so it is read back before anything else."""
    settling = Settling(Views(OLD).look, 0)
    with pytest.raises(Unknown) as unsure:
        await settling.shown(KEY, lambda seen: seen == NEW, "the change")
    assert unsure.value.reason == "TimedOut"


STALE: Mapping[str, tuple[Observed | None, tuple[Observed | None, ...]]] = {
    "a topic that was just made is not absent": (NEW, (None, NEW)),
    "a topic that was just changed is not as it was": (NEW, (OLD, OLD, NEW)),
    "a topic that was just deleted is not there": (None, (OLD, None)),
}


@pytest.mark.parametrize("sentence", STALE)
async def test_what_is_read_right_after_a_change(sentence: str) -> None:
    """Is read again until it shows the change."""
    written, later = STALE[sentence]
    views = Views(written, *later)
    settling = Settling(views.look, 5)
    await settling.shown(KEY, lambda seen: seen == written, "the change")
    found = await settling.believed([KEY], views.read)
    assert found.get(KEY) == written


async def test_what_nobody_wrote_is_believed_at_once() -> None:
    """Drift is drift."""
    assert await Settling(Views(None).look, 5).believed([KEY], Views(OLD, NEW).read) == {KEY: OLD}


def test_nothing_is_changed_about_what_nobody_knows() -> None:
    """Absent is another matter."""
    assert there(None, KEY) is None
    assert there(OLD, KEY) is OLD
    with pytest.raises(Unavailable):
        there(Unread("NoLeader", "wait"), KEY)


# Errors

OUTCOMES: Mapping[str, tuple[int, bool, type[BrokerError]]] = {
    "somebody has to edit something": (40, False, Refused),
    "nobody answers": (-195, True, Unreachable),
    "a read that was not answered may be repeated": (-185, False, Unreachable),
    "a write that was not answered may have been done": (-185, True, Unknown),
    "one object is away": (5, True, Unavailable),
    "an object went meanwhile": (3, True, Unavailable),
}


@pytest.mark.parametrize("sentence", OUTCOMES)
def test_a_fault_is_an_outcome(sentence: str) -> None:
    """Exactly this one."""
    code, wrote, outcome = OUTCOMES[sentence]
    assert type(error(Fault(code, "text"), "topic/orders", wrote=wrote)) is outcome


def test_only_silence_about_everything_is_the_cluster_being_away() -> None:
    """One item that was answered says that somebody is there."""
    silence = Fault(-185, "no answer")
    answered([silence, OLD], "topics")
    answered([Fault(29, "denied")], "topics")
    answered([], "topics")
    with pytest.raises(Unreachable):
        answered([silence, silence], "topics")
    with pytest.raises(Refused):
        answered([Fault(-169, "wrong password")], "topics")


# Logging in

SECRET = Credentials({"username": b"ann\n", "password": b"hush"})
PLAIN = KafkaConnection(("a:1", "b:2"), sasl="PLAIN")
PROTOCOLS: Mapping[str, tuple[KafkaConnection, str]] = {
    "in the open": (KafkaConnection(("a:1",)), "PLAINTEXT"),
    "encrypted": (KafkaConnection(("a:1",), tls=True), "SSL"),
    "with a password": (PLAIN, "SASL_PLAINTEXT"),
    "with a password, encrypted": (replace(PLAIN, tls=True), "SASL_SSL"),
}


@pytest.mark.parametrize("sentence", PROTOCOLS)
def test_both_libraries_speak(sentence: str) -> None:
    """The same protocol to the same servers."""
    connection, protocol = PROTOCOLS[sentence]
    first, second = (make(connection, SECRET, 5) for make in (settings, second_settings))
    assert first["security.protocol"] == second["security_protocol"] == protocol
    assert first["bootstrap.servers"].split(",") == second["bootstrap_servers"]


def test_a_password_is_read_without_the_end_of_its_line() -> None:
    """Files have one."""
    assert settings(PLAIN, SECRET, 5)["sasl.username"] == "ann"
    assert second_settings(PLAIN, SECRET, 5)["sasl_plain_username"] == "ann"


CLIENT = Credentials({"client-id": b"ann", "client-secret": b"hush"})
UNUSABLE: Mapping[str, tuple[KafkaConnection, Credentials]] = {
    "a password is missing": (PLAIN, Credentials({"username": b"ann"})),
    "a password is no text": (PLAIN, Credentials({"username": b"ann", "password": b"\xff"})),
    "a mechanism is unknown": (replace(PLAIN, sasl="GUESS"), SECRET),
    "nobody gives out tokens": (replace(PLAIN, sasl="OAUTHBEARER"), CLIENT),
    "a client's secret would go in the clear": (
        replace(PLAIN, sasl="OAUTHBEARER", token_url="http://tokens"),
        CLIENT,
    ),
    "a client has no secret": (
        replace(PLAIN, sasl="OAUTHBEARER", token_url="https://tokens"),
        Credentials({"client-id": b"ann"}),
    ),
    "a certificate is none": (
        KafkaConnection(("a:1",), tls=True),
        Credentials(client={"tls.crt": b"x", "tls.key": b"y"}),
    ),
}


@pytest.mark.parametrize("sentence", UNUSABLE)
def test_credentials_that_cannot_be_used_are_refused(sentence: str) -> None:
    """Before anything is sent, and without a word of what is secret."""
    connection, credentials = UNUSABLE[sentence]
    with pytest.raises(Refused) as refusal:
        settings(connection, credentials, 5)
    assert refusal.value.reason == "CredentialsInvalid"
    assert "ann" not in str(refusal.value)


# What a cluster can do

RELEASES: Mapping[str, tuple[int, str]] = {
    "nothing was told": (0, ""),
    "an old one": (20, "3.8"),
    "the last level of a release": (25, "4.0"),
    "the newest that is known": (33, "4.4"),
    "a newer one": (99, "4.5 or newer"),
}


@pytest.mark.parametrize("sentence", RELEASES)
def test_a_level_is_a_release(sentence: str) -> None:
    """By its first level."""
    level, name = RELEASES[sentence]
    assert release(level) == name


def test_capabilities_follow_the_features_that_brokers_agreed_on() -> None:
    """Not the programs' versions."""
    assert capabilities({"share.version": 1, "group.version": 1}) == {"ShareGroups", "ConsumerProtocol"}
    assert capabilities({}) == frozenset()
