"""RabbitMQ servers start, keep what they stored over a kill, demand what they are told to, and leave nothing behind."""

import ssl
from pathlib import Path

import aio_pika
import aiohttp
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused
from tests.broker_servers import rabbitmq_server

from headgate.local.cache import Say
from headgate.local.errors import LocalError
from headgate.local.pki import Authority
from headgate.local.processes import marked
from headgate.local.rabbitmq import SUITES, LocalRabbit, obtain_rabbitmq
from headgate.local.rabbitmq_config import User
from headgate.local.run import Run
from headgate.local.waiting import until

GONE = (ConnectionError, OSError, aio_pika.exceptions.AMQPError)


def processes(server: LocalRabbit) -> list[int]:
    """Whatever runs with this server's epmd in mind, and that epmd itself."""
    ours = f"ERL_EPMD_PORT={server.ports.names}".encode()
    return [pid for pid in marked(server.run.mark) if ours in _environment(pid).split(b"\0")]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


async def put(connection: AbstractConnection, queue: str, body: bytes) -> None:
    """Declare a classic queue and leave one message there, confirmed.

    A quorum queue that is less than a second old can lose confirmed messages to a kill: its server writes down late
    which of its logs is whose.
    """
    channel = await connection.channel()
    await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "classic"})
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue)


async def holds(connection: AbstractConnection, queue: str, body: bytes) -> bool:
    """Whether that is the next message; soon after a start a queue may look empty."""
    queue_there = await (await connection.channel()).get_queue(queue)
    message = await queue_there.get(timeout=30, fail=False)
    if message is None:
        return False
    await message.ack()
    return message.body == body


async def status(server: LocalRabbit, path: str, user: str, password: str) -> int:
    """What the management says to somebody."""
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{server.management_url}/api/{path}") as answer,
    ):
        return answer.status


@pytest.mark.parametrize("suite", SUITES)
async def test_every_suite_keeps_messages_over_a_kill_and_leaves_nothing(
    suite: str, servers: Run, aloud: Say
) -> None:
    async with rabbitmq_server(servers, f"rabbitmq-{suite}", suite=suite, say=aloud) as server:
        before = server.url
        async with await aio_pika.connect(server.user_url()) as connection:
            await put(connection, "kept", b"42")
        await server.kill()
        assert processes(server) == []
        with pytest.raises(GONE):
            await aio_pika.connect(server.user_url())
        await server.restart()
        assert server.url == before
        async with await aio_pika.connect(server.user_url()) as connection:
            await until("the message is there", lambda: holds(connection, "kept", b"42"))
        await server.stop()
        assert processes(server) == []


async def test_two_versions_run_side_by_side_and_do_not_see_each_other(
    rabbitmq: LocalRabbit, rabbitmq_newest: LocalRabbit
) -> None:
    assert rabbitmq.version.startswith("4.0.")
    assert tuple(map(int, rabbitmq_newest.version.split("."))) >= (4, 3)
    async with await aio_pika.connect(rabbitmq.user_url()) as connection:
        await put(connection, "mine", b"")
    assert await status(rabbitmq, "queues/%2F/mine", rabbitmq.username, rabbitmq.password) == 200
    assert await status(rabbitmq_newest, "queues/%2F/mine", rabbitmq.username, rabbitmq.password) == 404


async def test_the_consistent_hash_exchange_is_there(rabbitmq: LocalRabbit) -> None:
    async with await aio_pika.connect(rabbitmq.user_url()) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("hashed", "x-consistent-hash")
        assert exchange.name == "hashed"


async def test_users_have_the_rights_that_they_were_given_and_no_others(servers: Run) -> None:
    ada = User("ada", "Enchantress", "management", {"shop/eu": ("^shop", "^(shop|amq.default)", "^shop")})
    async with rabbitmq_server(servers, "rabbitmq-users", vhosts=("shop/eu",), users=(ada,)) as server:
        assert await status(server, "whoami", "ada", "Enchantress") == 200
        assert await status(server, "whoami", "ada", "guessed") == 401
        assert await status(server, "users", "ada", "Enchantress") == 401
        with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
            await aio_pika.connect(server.user_url("ada", "guessed", "shop%2Feu"))
        async with await aio_pika.connect(server.user_url("ada", "Enchantress", "shop%2Feu")) as connection:
            await put(connection, "shop.orders", b"")
            with pytest.raises(ChannelAccessRefused):
                await put(connection, "billing.orders", b"")


async def test_amqp_and_management_speak_tls_with_whoever_has_a_certificate(servers: Run) -> None:
    authority = Authority()
    certificate, key = authority.issue("client").write(servers.state, "client")
    trusting = ssl.create_default_context(cadata=authority.certificate.decode())
    async with rabbitmq_server(servers, "rabbitmq-tls", tls=authority, client_certificates=True) as server:
        user = f"{server.username}:{server.password}@"
        url = server.tls_url.replace("://", f"://{user}")
        with pytest.raises((ssl.SSLError, *GONE)):
            await aio_pika.connect(url, ssl_context=trusting)
        trusting.load_cert_chain(certificate, key)
        async with await aio_pika.connect(url, ssl_context=trusting) as connection:
            await put(connection, "sealed", b"")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{server.management_tls_url}/api/whoami", ssl=trusting) as answer,
        ):
            assert answer.status == 401


async def test_a_frozen_server_answers_nothing_until_it_is_thawed(servers: Run) -> None:
    async with rabbitmq_server(servers, "rabbitmq-frozen") as server, server.client() as http:
        server.freeze()
        with pytest.raises(TimeoutError):
            await http.get("whoami", timeout=aiohttp.ClientTimeout(total=1))
        server.thaw()
        async with http.get("whoami", timeout=aiohttp.ClientTimeout(total=30)) as answer:
            assert answer.status == 200


async def test_a_setting_that_the_server_refuses_is_said_in_its_words(servers: Run) -> None:
    with pytest.raises(LocalError, match="no_such_setting") as refused:
        async with rabbitmq_server(servers, "rabbitmq-broken", settings={"no_such_setting": "1"}):
            pass
    assert refused.value.reason == "RabbitFailed"


def test_a_suite_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(LocalError, match="no RabbitMQ of Debian woody here"):
        obtain_rabbitmq("woody")
