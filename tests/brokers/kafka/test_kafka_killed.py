"""Numbered events through failing workers and movers that are killed: each is handled or a dead letter in the end.

Workers are the one of the examples, as it stands there.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.brokers.kafka.records import everything
from tests.brokers.kafka.test_kafka_redelivery import Place, place, waiting
from tests.brokers.kafka.worlds import KafkaWorld

from headgate.core.moves import Routes, render
from headgate.local.waiting import until
from headgate.mover.loop import PER_REDELIVERY

pytestmark = pytest.mark.takes(300)

EVENTS: Final = 5_000
ATTEMPTS: Final = 3
WAITS: Final = (200, 1000)
MOMENTS: Final = (0.05, 0.31, 0.12, 0.4, 0.07, 0.23)  # seconds from look to look before each kill
ROOT: Final = Path(__file__).parents[3]
WORKER: Final = ROOT / "examples" / "kafka" / "worker.py"


def failures(number: int) -> int:
    """How many attempts of an event fail: of most none, of some one or two, of a few all."""
    if number % 100 == 0:
        return ATTEMPTS
    return 2 if number % 20 == 0 else 1 if number % 10 == 0 else 0


class Crew:
    """Processes of one kind, some of which are killed and begun again."""

    def __init__(self, *command: str, env: dict[str, str], logs: Path) -> None:
        self._command, self._env, self._logs = command, env, logs
        self._running: list[asyncio.subprocess.Process] = []
        logs.mkdir()

    async def begin(self) -> None:
        """One more."""
        with (self._logs / str(len(list(self._logs.iterdir())))).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command, env={**os.environ, **self._env}, cwd=ROOT, stdout=log, stderr=log
            )
        self._running.append(process)

    async def kill_one(self) -> None:
        """In the midst of whatever it does; another one begins."""
        process = self._running.pop(0)
        assert process.returncode is None, self.told()[-2000:]
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await self.begin()

    def told(self) -> str:
        """What all of them wrote, one after the other."""
        return "\n".join(path.read_text() for path in sorted(self._logs.iterdir()))

    async def end(self) -> None:
        """All of them."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def working(crew: Crew, count: int) -> AsyncIterator[Crew]:
    """So many of them for the length of a block."""
    try:
        for _ in range(count):
            await crew.begin()
        yield crew
    finally:
        await crew.end()


def bind(at: Place, folder: Path) -> None:
    """The files of the binding that a worker reads."""
    folder.mkdir()
    files = {
        "bootstrap-servers": at.world.bootstrap,
        "group": "shop/billing",
        "topic": "shop/orders",
        "topics": f"{at.topic},{at.due}",
        "group-id": at.group,
        "auto-offset-reset": "earliest",
        "max-attempts": str(ATTEMPTS),
        "retry-topics": ",".join(at.waits[wait] for wait in WAITS),
        "dead-letter-topic": at.dead,
    }
    for name, text in files.items():
        (folder / name).write_text(text)


def publish(at: Place, numbers: Iterable[int]) -> None:
    """Numbered events, some of which will fail."""
    producer = Producer({"bootstrap.servers": at.world.bootstrap, "enable.idempotence": True, "log_level": 0})
    for number in numbers:
        headers: Any = {"fail": str(failures(number))} if failures(number) else {}
        producer.produce(at.topic, b"%d" % number, b"%d" % (number % 97), headers=headers)
        producer.poll(0)
    assert producer.flush(30) == 0


def ends(at: Place, *topics: str) -> int:
    """How many records were ever put there."""
    consumer = Consumer({"bootstrap.servers": at.world.bootstrap, "group.id": "looking", "log_level": 0})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=15)[1]
            for topic in topics
            for number in consumer.list_topics(topic, timeout=15).topics[topic].partitions
        )
    finally:
        consumer.close()


async def test_every_event_is_handled_or_a_dead_letter_whoever_is_killed(
    world: KafkaWorld, tmp_path: Path
) -> None:
    """And movers bring back twice no more than what was under way when they were killed."""
    async with place(world, *WAITS, partitions=4) as at:
        bind(at, tmp_path / "binding")
        routes = render(Routes("platform/main", (at.route(attempts=ATTEMPTS),)))
        env = {"BINDING": str(tmp_path / "binding"), "PYTHONPATH": str(ROOT)}
        moving = (sys.executable, "-m", "tests.brokers.kafka.moving", world.bootstrap, routes)
        worker = Crew(sys.executable, str(WORKER), env=env, logs=tmp_path / "workers")
        mover = Crew(*moving, env=env, logs=tmp_path / "movers")
        publish(at, range(EVENTS // 2))
        async with working(worker, 2), working(mover, 2):
            await trouble(at, worker, mover)
            publish(at, range(EVENTS // 2, EVENTS))

            async def done() -> bool:
                return await waiting(world, at) == (0, 0)

            await until("nothing is left", done, limit=200, every=1)
        accounts(at, worker.told())


async def trouble(at: Place, worker: Crew, mover: Crew) -> None:
    """Kill movers and workers in turn, each time that more has come back."""
    for kill, moment in enumerate(MOMENTS):
        before = ends(at, at.due)

        async def moved(before: int = before) -> bool:
            return ends(at, at.due) > before

        await until("movers are at work", moved, limit=60, every=moment)
        await mover.kill_one()
        if kill % 3 == 0:
            await worker.kill_one()
        publish(at, [EVENTS * 10 + 10 * (kill + 1)])  # so that more will come back


def accounts(at: Place, told: str) -> None:
    """What became of every event."""
    handled = Counter(int(line.split()[1]) for line in told.splitlines() if line.startswith("handled"))
    dead = {int(record.body or b"") for record in everything(at.world.bootstrap, at.dead)}
    fatal = {number for number in range(EVENTS) if failures(number) == ATTEMPTS}
    numbers = set(range(EVENTS))
    assert numbers - handled.keys() - dead == set()
    assert dead & numbers == fatal
    assert not handled.keys() & fatal
    put, back = ends(at, *at.waits.values()), ends(at, at.due)
    assert 0 <= back - put <= len(MOMENTS) * PER_REDELIVERY
