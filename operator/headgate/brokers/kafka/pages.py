"""Reads a partition from an offset on, as nobody in particular: no group hears of it. Decides nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from headgate.brokers.base import Refused, Unreachable
from headgate.brokers.kafka.coordinators import fault_of
from headgate.brokers.kafka.faults import error
from headgate.brokers.kafka.redelivery import Record

_PAGE: Final = 500  # records in memory
_BYTES: Final = 8 * 2**20
_POLL_MS: Final = 500

R = TypeVar("R")


class Pages:
    """A client of one cluster that works in a thread and connects when it is asked something."""

    def __init__(self, settings: Callable[[], dict[str, Any]], timeout: float) -> None:
        self._settings, self._timeout = settings, timeout
        self._client: Any = None  # the library has no types
        self._turn = asyncio.Lock()

    async def span(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """The first offset and the next one. Refused(NotFound) where there is no such topic."""
        return await self._run(topic, lambda: self._span(topic, partition))

    async def read(
        self, topic: str, start: int, end: int, partition: int = 0
    ) -> AsyncIterator[Sequence[Record]]:
        """Records from one offset up to another, page by page."""
        while start < end:
            found = await self._run(topic, lambda at=start: self._page(topic, partition, at, end))  # type: ignore[misc]  # a default of a lambda
            records, start = found
            yield records

    async def aclose(self) -> None:
        """Let go of the connection; never raises."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(KafkaError):
                await asyncio.to_thread(partial(client.close, autocommit=False))

    async def _run(self, topic: str, ask: Callable[[], R]) -> R:
        async with self._turn:
            task = asyncio.ensure_future(asyncio.to_thread(ask))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                await asyncio.wait({task})
                raise
            except KafkaError as failure:
                raise error(fault_of(failure), f"topic/{topic}", f"Read on Topic {topic}") from None

    def _ready(self) -> Any:  # noqa: ANN401  (the library has no types)
        if self._client is None:
            self._client = KafkaConsumer(
                **self._settings(),
                group_id=None,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                fetch_max_bytes=_BYTES,
                max_poll_records=_PAGE,
            )
        return self._client

    def _span(self, topic: str, partition: int) -> tuple[int, int]:
        client, place = self._ready(), TopicPartition(topic, partition)
        if partition not in (client.partitions_for_topic(topic) or ()):
            text = f"topic {topic} is not there; has the queue been made in the broker yet?"
            raise Refused("NotFound", text)
        client.assign([place])
        return int(client.beginning_offsets([place])[place]), int(client.end_offsets([place])[place])

    def _page(self, topic: str, partition: int, start: int, end: int) -> tuple[list[Record], int]:
        client, place = self._ready(), TopicPartition(topic, partition)
        client.assign([place])
        client.seek(place, start)
        for _ in range(max(1, round(self._timeout * 1000 / _POLL_MS))):
            found = client.poll(timeout_ms=_POLL_MS, max_records=_PAGE).get(place, ())
            records = [_record(each) for each in found if each.offset < end]
            if records:
                return records, records[-1].offset + 1
            if int(client.position(place)) >= end:
                return [], end
        raise Unreachable(
            "TimedOut", f"topic/{topic}: what lies in it was not read within {self._timeout:.0f}s"
        )


def _record(found: Any) -> Record:  # noqa: ANN401  (the library has no types)
    return Record(
        found.topic,
        found.partition,
        found.offset,
        datetime.fromtimestamp(max(0, found.timestamp) / 1000, UTC),
        found.key,
        tuple((name, value or b"") for name, value in found.headers),
        found.value,
    )
