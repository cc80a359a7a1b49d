"""Every way in, and what is said to those who do not get in or may not do what is needed."""

import json
import ssl
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import BasicAuth, web
from tests.broker_servers import kafka_server
from tests.brokers.kafka.worlds import KafkaWorld, world_at

from headgate.api.eventbroker import Limits
from headgate.brokers.base import Credentials, Refused, Unreachable
from headgate.brokers.kafka.resources import KafkaGroup, group_key, topic_key
from headgate.brokers.kafka.values import KafkaConnection
from headgate.core.resource import Observed
from headgate.local.kafka import LocalKafka
from headgate.local.kafka_config import Guard
from headgate.local.pki import Authority
from headgate.local.ports import free_port
from headgate.local.run import Run

LIMITS = Limits(timeout=timedelta(seconds=5))
PASSWORDS = {"ann": "hush", "bob": "psst"}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def secret(user: str, password: str = "") -> Credentials:
    """What the Secret of a user holds."""
    text = password or PASSWORDS[user]
    return Credentials({"username": user.encode(), "password": text.encode()})


@asynccontextmanager
async def guarded(servers: Run, name: str, guard: Guard) -> AsyncIterator[LocalKafka]:
    """A server that does not let everybody in."""
    async with kafka_server(servers, name, guard=guard) as server:
        yield server


async def works(world: KafkaWorld) -> None:
    """Both libraries get in: one makes the topic, the other reads the features and the group."""
    assert (await world.broker.facts()).nodes == 1
    topic = world.topic()
    assert isinstance(await world.made(topic), Observed)
    group = KafkaGroup(group_key(topic.key.name, "billing"), start="earliest")
    assert isinstance(await world.made(group), Observed)


async def test_passwords_open_by_every_mechanism_and_wrong_ones_by_none(servers: Run) -> None:
    """A wrong one is told apart from a server that is away."""
    async with guarded(servers, "kafka-passwords", Guard(PASSWORDS, MECHANISMS)) as server:
        for mechanism in MECHANISMS:
            where = KafkaConnection((server.bootstrap,), sasl=mechanism)
            async with world_at(server.bootstrap, LIMITS, where, secret("ann")) as world:
                await works(world)
            async with world_at(server.bootstrap, LIMITS, where, secret("ann", "guessed")) as world:
                with pytest.raises(Refused) as refusal:
                    await world.broker.observe([topic_key("orders")])
                assert refusal.value.reason == "AuthenticationFailed"
                assert "guessed" not in str(refusal.value)


@asynccontextmanager
async def tokens(authority: Authority, asked: Counter[str]) -> AsyncIterator[str]:
    """Who gives out tokens, for as long as the block: to whoever has the right secret, in their name."""

    async def give(request: web.Request) -> web.Response:
        who = BasicAuth.decode(request.headers["Authorization"])
        form = await request.post()
        asked[who.login] += 1
        if form["grant_type"] != "client_credentials" or PASSWORDS.get(who.login) != who.password:
            return web.json_response({"error": "invalid_client"}, status=401)
        now = int(time.time())
        claims = {"sub": who.login, "iat": now, "exp": now + 300}
        parts = (json.dumps(each).encode() for each in ({"alg": "none"}, claims))
        words = (urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        return web.json_response({"access_token": ".".join((*words, "")), "expires_in": 300})

    pair, port = authority.issue("tokens", hosts=("127.0.0.1",)), free_port()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as directory:
        context.load_cert_chain(*pair.write(Path(directory), "tokens"))
    app = web.Application()
    app.router.add_post("/token", give)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield f"https://127.0.0.1:{port}/token"
    finally:
        await runner.cleanup()


async def test_tokens_open(servers: Run) -> None:
    """Each library fetches its own, once; a wrong secret is told apart from nobody who would give out any."""
    authority, asked = Authority(), Counter[str]()
    async with (
        guarded(servers, "kafka-tokens", Guard(mechanisms=("OAUTHBEARER",))) as server,
        tokens(authority, asked) as url,
    ):
        where = KafkaConnection((server.bootstrap,), sasl="OAUTHBEARER", token_url=url)
        right, wrong = (
            Credentials({"client-id": b"ann", "client-secret": each}, ca=authority.certificate)
            for each in (b"hush", b"guessed")
        )
        async with world_at(server.bootstrap, LIMITS, where, right) as world:
            await works(world)
            assert asked["ann"] == 2
        async with world_at(server.bootstrap, LIMITS, where, wrong) as world:
            with pytest.raises(Refused) as refusal:
                await world.broker.observe([topic_key("orders")])
            assert refusal.value.reason == "AuthenticationFailed"
            assert "guessed" not in str(refusal.value)
        away = replace(where, token_url=f"https://127.0.0.1:{free_port()}/token")
        async with world_at(server.bootstrap, LIMITS, away, right) as world:
            with pytest.raises(Unreachable):
                await world.broker.observe([topic_key("orders")])


async def test_a_certificate_opens_and_nobody_without_one_gets_in(servers: Run) -> None:
    """Both libraries bring it."""
    authority = Authority()
    pair = authority.issue("ann")
    client = {"tls.crt": pair.certificate, "tls.key": pair.key}
    guard = Guard(tls=authority, client_certificates=True)
    async with guarded(servers, "kafka-certificates", guard) as server:
        where = KafkaConnection((server.bootstrap,), tls=True)
        with_it = Credentials(ca=authority.certificate, client=client)
        async with world_at(server.bootstrap, LIMITS, where, with_it) as world:
            await works(world)
        for credentials in (Credentials(ca=authority.certificate), Credentials(client=client)):
            async with world_at(server.bootstrap, LIMITS, where, credentials) as world:
                with pytest.raises(Unreachable):
                    await world.broker.observe([topic_key("orders")])
