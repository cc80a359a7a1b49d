"""A real server of each version, one after the other; a virtual host for each test."""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.broker_servers import rabbitmq_server
from tests.brokers.rabbitmq.hand import Hand

from headgate.api.eventbroker import Limits
from headgate.brokers.base import Credentials, always
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.options import Connection
from headgate.local.cache import Say
from headgate.local.rabbitmq import SUITES, LocalRabbit
from headgate.local.run import Run

UNHURRIED = Limits(requests_per_second=10_000, progress_per_second=10_000)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """One virtual host: as the adapter sees it, and as anybody else does."""

    server: LocalRabbit
    broker: RabbitBroker
    hand: Hand
    vhost: str


@pytest_asyncio.fixture(scope="session", params=SUITES)
async def rabbit(servers: Run, request: pytest.FixtureRequest, aloud: Say) -> AsyncIterator[LocalRabbit]:
    """The one server that runs now."""
    suite = str(request.param)
    async with rabbitmq_server(servers, f"rabbit-{suite}", suite=suite, say=aloud) as server:
        yield server


def connect(
    server: LocalRabbit,
    vhost: str,
    *,
    user: str = "",
    password: str = "",
    limits: Limits = UNHURRIED,
    may_act: Callable[[], bool] = always,
) -> RabbitBroker:
    """The adapter, logged in as the administrator or as somebody."""
    values = {
        "username": (user or server.username).encode(),
        "password": (password or server.password).encode(),
    }
    connection = Connection(server.management_url, vhost, amqp_url=server.url)
    return RabbitBroker(connection, limits, Credentials(values), may_act)


@pytest_asyncio.fixture
async def place(rabbit: LocalRabbit) -> AsyncIterator[Place]:
    """A virtual host that is gone afterwards with all that is in it."""
    vhost = f"shop/{next(_numbers)}"
    async with rabbit.client() as http:
        hand = Hand(http, vhost)
        await hand.ask("PUT", f"vhosts/{hand.vhost}")
        await hand.ask(
            "PUT",
            f"permissions/{hand.vhost}/{rabbit.username}",
            {"configure": ".*", "write": ".*", "read": ".*"},
        )
        broker = connect(rabbit, vhost)
        yield Place(rabbit, broker, hand, vhost)
        await broker.aclose()
        await hand.ask("DELETE", f"vhosts/{hand.vhost}")
