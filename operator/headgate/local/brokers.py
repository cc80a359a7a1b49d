"""The brokers beside a local cluster, by name. Knows of each only how to have, start and reach it."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.local.cache import Say, silent
from headgate.local.errors import LocalError
from headgate.local.nats import LocalNats, nats_binary, start_nats
from headgate.local.run import Run

if TYPE_CHECKING:
    from headgate.local.kafka import LocalKafka
    from headgate.local.rabbitmq import LocalRabbit

NAMES = ("nats", "kafka", "rabbitmq")


@dataclass(slots=True)
class Brokers:
    """Those that were asked for."""

    nats: LocalNats | None = None
    kafka: "LocalKafka | None" = None
    rabbitmq: "LocalRabbit | None" = None

    def env(self) -> dict[str, str]:
        """What a person's shell needs to reach them."""
        variables: dict[str, str] = {}
        if self.nats:
            variables["NATS_URL"] = self.nats.url
        if self.kafka:
            variables["KAFKA_BOOTSTRAP_SERVERS"] = self.kafka.bootstrap
        if self.rabbitmq:
            variables |= {
                "RABBITMQ_URL": self.rabbitmq.url,
                "RABBITMQ_MANAGEMENT_URL": self.rabbitmq.management_url,
                "RABBITMQ_USERNAME": self.rabbitmq.username,
                "RABBITMQ_PASSWORD": self.rabbitmq.password,
            }
        return variables

    async def stop(self) -> None:
        started = (self.nats, self.kafka, self.rabbitmq)
        await asyncio.gather(*(broker.stop() for broker in started if broker))


def obtain(names: Collection[str], say: Say = silent) -> None:
    """Have the programs of these brokers at hand; LocalError for a name that is none, or where one cannot be had."""
    if unknown := set(names) - set(NAMES):
        raise LocalError(
            "NoSuchBroker",
            f"no such broker here: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}",
        )
    if "nats" in names:
        nats_binary()
    if "kafka" in names:
        _needs_client()
        from headgate.local.kafka import obtain_kafka  # noqa: PLC0415  (needs headgate[kafka]; the others do not)

        obtain_kafka(say=say)
    if "rabbitmq" in names:
        from headgate.local.rabbitmq import obtain_rabbitmq  # noqa: PLC0415  (as long as nobody wants it)

        obtain_rabbitmq(say=say)


def obtain_every(say: Say = silent) -> None:
    """Have every version of Kafka and RabbitMQ at hand that tests start."""
    _needs_client()
    from headgate.local.jars import VERSIONS  # noqa: PLC0415  (as in `obtain`)
    from headgate.local.kafka import obtain_kafka  # noqa: PLC0415
    from headgate.local.rabbitmq import SUITES, obtain_rabbitmq  # noqa: PLC0415

    for version in VERSIONS:
        obtain_kafka(version, say)
    for suite in SUITES:
        obtain_rabbitmq(suite, say)


def _needs_client() -> None:
    try:
        import confluent_kafka  # noqa: F401, PLC0415  (only whether it is there)
    except ImportError as error:
        raise LocalError(
            "NoClient", "the package confluent-kafka is not installed: it comes with headgate[kafka]"
        ) from error


async def start_brokers(run: Run, names: Collection[str], say: Say = silent) -> Brokers:
    """Start them one by one; returns when all of them serve."""
    brokers = Brokers()
    try:
        if "nats" in names:
            say("starting NATS")
            brokers.nats = await start_nats(run, say=say)
        if "kafka" in names:
            from headgate.local.kafka import start_kafka  # noqa: PLC0415  (as in `obtain`)

            say("starting Kafka")
            brokers.kafka = await start_kafka(run, say=say)
        if "rabbitmq" in names:
            from headgate.local.rabbitmq import start_rabbitmq  # noqa: PLC0415  (as in `obtain`)

            say("starting RabbitMQ")
            brokers.rabbitmq = await start_rabbitmq(run, say=say)
    except BaseException:
        await brokers.stop()
        raise
    return brokers
