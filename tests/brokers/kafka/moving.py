"""A mover in a process of its own, which can be killed: `python -m tests.brokers.kafka.moving SERVERS ROUTES`."""

import asyncio
import sys

from tests.contract.messages_account import now

from headgate.brokers.base import Credentials
from headgate.brokers.kafka.carrier import messages
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.moves import load
from headgate.mover.loop import Mover
from headgate.mover.meter import Meter
from headgate.telemetry.metrics import Metrics


async def move(servers: str, routes: str) -> None:
    """Until it is killed."""
    table = load(routes).by_reader()
    told = messages(KafkaConnection((servers,)), Credentials(), timeout=10)
    meter = Meter(Metrics(), "platform", "main")
    await Mover(told, lambda: table, meter, now).run()


if __name__ == "__main__":
    asyncio.run(move(*sys.argv[1:]))
