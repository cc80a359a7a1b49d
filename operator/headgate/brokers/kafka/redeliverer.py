"""Reads the topics of waits as one of the group of movers and moves what is due. Blocks; one thread at a time uses it.

A position is committed once all before it stands in its new place, acknowledged: whoever ends in between leaves what was
under way to be moved again, and nothing else. All that is in one topic waits equally long, so the first event that is not
due holds up none that is: its partition rests until then.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from headgate.brokers.base import BrokerError, Refused, Unreachable
from headgate.brokers.kafka.faults import Fault, error
from headgate.brokers.kafka.groupviews import Place
from headgate.brokers.kafka.names import MOVERS
from headgate.brokers.kafka.redelivery import Fate, Outcome, Pairs, Record, Sent, enveloped, fate, outcomes
from headgate.brokers.kafka.refusals import DENIED, LOGIN, Sort
from headgate.brokers.kafka.sending import TOO_LARGE, Sender
from headgate.brokers.messages import Redelivered
from headgate.core.moves import Route

_MORE: Final = 0.02  # seconds in which a turn collects what else is there
_HELD: Final = 5.0  # seconds until what could not be moved is tried again
_QUEUED_KB: Final = 512  # of each partition in memory
_FETCHED: Final = 16 * 2**20  # bytes in one answer
_FRESH: Final = 5_000  # milliseconds after which others hear that a mover is gone


@dataclass(frozen=True, slots=True)
class Ladder:
    """One topic of a wait: whose it is, how long the wait is, into how many partitions the way back is split."""

    route: Route
    wait: timedelta
    partitions: int


class Redeliverer:
    """One member of the group of movers."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = {
            **settings,
            "group.id": MOVERS,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 2 * _FRESH,
            "heartbeat.interval.ms": _FRESH // 5,
            "queued.max.messages.kbytes": _QUEUED_KB,
            "fetch.max.bytes": _FETCHED,
            "fetch.wait.max.ms": 100,
        }
        self._timeout, self._clock = timeout, clock
        self._sender = Sender(settings, timeout)
        self._consumer: Consumer | None = None
        self._topics: frozenset[str] = frozenset()
        self._resting: dict[Place, float] = {}  # until when
        self._done: dict[Place, int] = {}  # what was committed, and not asked for yet

    def redeliver(self, ladders: Mapping[str, Ladder], limit: int, wait: float) -> Redelivered:
        """Move up to so many events; waits so many seconds for the first to be due."""
        self._follow(frozenset(ladders))
        if self._consumer is None:
            time.sleep(wait)
            return Redelivered()
        self._wake(self._consumer)
        records: list[Record] = []
        try:
            self._due(self._consumer, ladders, limit, wait, records)
            return self._moved(self._consumer, ladders, records) if records else Redelivered()
        except BaseException:
            self._again(self._consumer, records)
            raise

    def taken(self) -> Mapping[Place, int]:
        """How far partitions were committed since this was asked last: what is before is not needed any more."""
        found, self._done = self._done, {}
        return found

    def close(self) -> None:
        """Leave the group, so that others go on at once."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaException):
                consumer.close()
        self._sender.close()

    def _follow(self, topics: frozenset[str]) -> None:
        if topics == self._topics:
            return
        if self._consumer is None:
            self._consumer = self._joining()
        if topics:
            self._consumer.subscribe(sorted(topics), on_revoke=self._let_go, on_lost=self._let_go)
        else:
            self._consumer.unsubscribe()
        self._topics = topics

    def _joining(self) -> Consumer:
        try:
            return Consumer(self._settings)
        except KafkaException as failure:
            text = failure.args[0].str()
            raise Refused(
                "CredentialsInvalid", f"spec.kafka: the client cannot be set up so: {text}"
            ) from None

    def _let_go(self, consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        """Somebody else has them now. Between two turns nothing of them is under way."""
        del consumer
        for each in places:
            self._resting.pop((each.topic, each.partition), None)

    def _wake(self, consumer: Consumer) -> None:
        now = self._clock()
        rested = [place for place, until in self._resting.items() if until <= now]
        for place in rested:
            del self._resting[place]
        if rested:
            with suppress(KafkaException):  # somebody else has them now
                consumer.resume([TopicPartition(*place) for place in rested])

    def _due(
        self, consumer: Consumer, ladders: Mapping[str, Ladder], limit: int, wait: float, found: list[Record]
    ) -> None:
        """Find what is due. The first of a partition that is not has the partition rest."""
        passed: set[Place] = set()
        trouble: BrokerError | None = None
        for message in self._read(consumer, limit, wait):
            if (fault := _fault(message)) is not None:
                trouble = _trouble(fault, message.topic() or "") or trouble
                continue
            record = _record(message)
            if (record.topic, record.partition) in passed:
                continue
            until = self._until(record, ladders.get(record.topic))
            if until <= self._clock():
                found.append(record)
            else:
                passed.add((record.topic, record.partition))
                self._rest(consumer, (record.topic, record.partition), record.offset, until)
        if trouble is not None and not found:
            raise trouble

    def _read(self, consumer: Consumer, limit: int, wait: float) -> Sequence[Message]:
        soonest = min(self._resting.values(), default=self._clock() + wait)
        first = consumer.poll(max(0.0, min(wait, soonest - self._clock())))
        if first is None:
            return ()
        try:
            return (first, *consumer.consume(limit - 1, _MORE))
        except KafkaException as failure:
            if first.error() is None:
                self._again(consumer, [_record(first)])
            raise error(Fault(failure.args[0].code(), failure.args[0].str()), "the topics of waits") from None

    def _again(self, consumer: Consumer, records: Sequence[Record]) -> None:
        """Go back to the first of these in each partition: it is not known what became of them."""
        for place, outcome in outcomes(records, range(len(records))).items():
            if outcome.again is not None:
                self._rest(consumer, place, outcome.again, self._clock() + _HELD)

    def _until(self, record: Record, ladder: Ladder | None) -> float:
        """When the event is due; one of which nobody says whose it is is looked at again."""
        if ladder is None:
            return self._clock() + _HELD
        return (record.at + ladder.wait).timestamp()

    def _rest(self, consumer: Consumer, place: Place, offset: int, until: float) -> None:
        """Go on there, not before that moment; nothing of the partition stays in memory."""
        self._resting[place] = until
        with suppress(KafkaException):  # somebody else has it now
            consumer.pause([TopicPartition(*place)])
            consumer.seek(TopicPartition(*place, offset))

    def _moved(
        self, consumer: Consumer, ladders: Mapping[str, Ladder], records: Sequence[Record]
    ) -> Redelivered:
        now = datetime.fromtimestamp(self._clock(), UTC)
        fates = [
            fate(each, ladders[each.topic].route, now, ladders[each.topic].partitions) for each in records
        ]
        faults = self._sent(fates)
        places = outcomes(records, faults)
        if faults:
            for place, outcome in places.items():
                if outcome.again is not None:
                    self._rest(consumer, place, outcome.again, self._clock() + _HELD)
        self._commit(consumer, places)
        return _told(fates, faults)

    def _sent(self, fates: Sequence[Fate]) -> Mapping[int, Fault]:
        """What could not be put where it belongs, by its index."""
        indexes = [index for index, each in enumerate(fates) if each.sent is not None]
        faults = self._each({index: each for index in indexes if (each := fates[index].sent) is not None})
        large = {
            index: enveloped(sent)
            for index, failed in faults.items()
            if failed.code == TOO_LARGE and fates[index].reason and (sent := fates[index].sent) is not None
        }
        return {index: failed for index, failed in faults.items() if index not in large} | self._each(large)

    def _each(self, wanted: Mapping[int, Sent]) -> dict[int, Fault]:
        if not wanted:
            return {}
        told = zip(wanted, self._sender.send(list(wanted.values())), strict=True)
        return {index: failed for index, failed in told if failed is not None}

    def _commit(self, consumer: Consumer, places: Mapping[Place, Outcome]) -> None:
        done = {place: outcome.done for place, outcome in places.items() if outcome.done is not None}
        if not done:
            return
        offsets = [TopicPartition(*place, offset) for place, offset in done.items()]
        try:
            answers = consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            raise _uncommitted(Fault(failure.args[0].code(), failure.args[0].str())) from None
        noted = {(each.topic, each.partition) for each in answers or () if each.error is None}
        self._done.update({place: offset for place, offset in done.items() if place in noted})


def _uncommitted(fault: Fault) -> BrokerError:
    """Whatever it was, it passes, but for a right that is missing: partitions are handed to others now and then."""
    if fault.code in DENIED:
        return error(fault, f"group {MOVERS}", f"Read on Group {MOVERS}")
    text = f"how far movers are was not noted: {fault.text}; what was under way is moved again"
    return Unreachable("TemporarilyUnavailable", text)


def _told(fates: Sequence[Fate], faults: Mapping[int, Fault]) -> Redelivered:
    kept = [each for index, each in enumerate(fates) if index not in faults]
    return Redelivered(
        returned=sum(each.reason is None for each in kept),
        given_up=tuple(each.reason for each in kept if each.reason is not None and each.sent is not None),
        dropped=sum(each.sent is None for each in kept),
        put_off=tuple(error(failed, "").reason for failed in faults.values()),
    )


def _fault(message: Message) -> Fault | None:
    failed = message.error()
    return None if failed is None else Fault(failed.code(), failed.str())


def _trouble(fault: Fault, topic: str) -> BrokerError | None:
    """A login that is refused, or a right that is missing. All else passes, or is a topic that went."""
    if fault.code in LOGIN or fault.sort is Sort.REFUSED:
        return error(fault, f"topic/{topic}", f"Read on Topic {topic} and on Group {MOVERS}")
    return None


def _record(message: Message) -> Record:
    _, at = message.timestamp()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        datetime.fromtimestamp(at / 1000, UTC),
        _bytes(message.key()),
        _headers(message),
        _bytes(message.value()),
    )


def _headers(message: Message) -> Pairs:
    """The library answers with pairs of text and bytes; a header may have no value."""
    found: Any = message.headers() or ()
    return tuple(pair if pair[1] is not None else (pair[0], b"") for pair in found)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
