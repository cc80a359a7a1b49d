"""The contract of brokers on a real RabbitMQ: exchanges, queues, and every setting of both."""

# ruff: noqa: FBT003  (the values of settings are what the rows are about)

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
import pytest_asyncio
from tests.brokers.contract_rabbitmq import RabbitContractWorld, rabbit_world
from tests.contract.expectations import Expectations
from tests.contract.figures import FiguresContract
from tests.contract.letters import LettersContract
from tests.contract.objects import ObjectsContract
from tests.contract.settings import SettingsContract
from tests.contract.terms import Row, World

from headgate.brokers.rabbitmq.resources import (
    DROP_HEAD,
    QUORUM,
    REJECT_PUBLISH,
    Binding,
    DeadLetters,
    Delay,
    Exchange,
    Queue,
    exchange_key,
    queue_key,
)
from headgate.core.resource import Observed
from headgate.local.rabbitmq import LocalRabbit

pytestmark = pytest.mark.takes(180)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
IMMUTABLE = "ImmutableSetting"
KEPT = {"replay": True}
SAFE = {"overflow": REJECT_PUBLISH}

EXCHANGE_ROWS = (
    Row("type", "topic", "fanout", refused=IMMUTABLE),
    Row("durable", True, False, refused=IMMUTABLE),
    Row("auto_delete", False, True, refused=IMMUTABLE),
    Row("alternate_exchange", "amq.fanout", "amq.direct"),
    Row("shadowed_by", ""),
    Row("replay", True, False, refused=IMMUTABLE),
    Row("replay_keys", ("a.#",), ("a.#", "b.#"), KEPT),
    Row("replay_max_age", HOUR, 2 * HOUR, KEPT),
    Row("replay_max_bytes", 1_000_000, 2_000_000, KEPT),
    Row("replay_segment_bytes", 500_000, 600_000, KEPT),
    Row("replay_copies", 1, beside=KEPT),
    Row("replay_shadowed_by", "", beside=KEPT),
)
QUEUE_ROWS = (
    Row("type", QUORUM),
    Row("single_active_consumer", True, False, refused=IMMUTABLE),
    Row("copies", 1),
    Row("bindings", (Binding("amq.topic", "a.#"),), (Binding("amq.topic", "a.#"), Binding("amq.topic", "b"))),
    Row("delivery_limit", 4, 9),
    Row("dead_letters", DeadLetters("one", at_least_once=True), DeadLetters("two", at_least_once=True), SAFE),
    Row("overflow", REJECT_PUBLISH, DROP_HEAD),
    Row("max_length", 1000, 2000),
    Row("max_bytes", 1_000_000, 2_000_000),
    Row("message_ttl", HOUR, 2 * HOUR),
    Row("consumer_timeout", HOUR, 2 * HOUR),
    Row("delay", Delay("all", MINUTE, HOUR), Delay("failed", MINUTE, HOUR)),
    Row("closed_max_age", HOUR, 2 * HOUR),
    Row("steps", (MINUTE,), (MINUTE, HOUR)),
    Row("shadowed_by", ""),
)


class TestRabbitMQ(SettingsContract, ObjectsContract, FiguresContract, LettersContract):
    """The newest server. A queue holds what its group has not read, so nothing lies in the topic."""

    topic_rows = EXCHANGE_ROWS
    reader_rows = QUEUE_ROWS
    expects = Expectations(
        floor=False,
        repeats=False,
        checkpoints=False,
        exact_ages=False,
        patience=30.0,
    )

    @pytest_asyncio.fixture
    async def world(self, rabbitmq_newest: LocalRabbit) -> AsyncIterator[RabbitContractWorld]:
        async with rabbit_world(rabbitmq_newest) as world:
            yield world

    def topic(self, name: str) -> Exchange:
        """What nobody wants has a place to go to, as in every topic that is declared."""
        return Exchange(exchange_key(name), type="topic", alternate_exchange="amq.headers", shadowed_by="")

    def reader(self, topic: str, name: str) -> Queue:
        return Queue(
            queue_key(f"{topic}.{name}"),
            needs=(exchange_key(topic),),
            type=QUORUM,
            bindings=(Binding(topic, f"{topic}.#"),),
            delivery_limit=-1,
            shadowed_by="",
        )

    def queue(self, name: str) -> Queue:
        return Queue(
            queue_key(name), type=QUORUM, delivery_limit=-1, overflow=REJECT_PUBLISH, max_bytes=1_000_000
        )

    def subject(self, topic: str) -> str:
        return f"{topic}.cust1.paid"

    def holder(self, topic: Observed, reader: Observed) -> Observed:
        del topic
        return reader

    async def bury(self, world: World, queue: str, number: int, headers: Mapping[str, str]) -> int:
        del number
        return await world.publish(queue, headers)

    async def resolve(self, world: World, queue: str, number: int) -> None:
        await world.take_out(queue_key(queue), number)
