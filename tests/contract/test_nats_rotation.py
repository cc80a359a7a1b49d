"""Credentials that change in their Secret while a connection lives: read again in time, used for every new connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import nkeys  # type: ignore[import-untyped]  # it ships no types
import pytest
from tests.contract.nats_jwt import key_pair, realm
from tests.servers import nats_server

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Refused, Unreachable
from headgate.core.estate import Declared, Ref
from headgate.engine.link import Link
from headgate.kube.values import Secret
from headgate.local.nats import LocalNats
from headgate.local.run import Run
from headgate.local.waiting import until

Login = dict[str, bytes]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class Drawer:
    """The one Secret, and how often it was read."""

    login: Login
    reads: int = 0
    seen: list[bytes] = field(default_factory=list)  # what was to be kept out of logs

    async def get_secret(self, namespace: str, name: str) -> Secret:
        assert (namespace, name) == ("shop", "login")
        self.reads += 1
        return Secret("uid", str(self.reads), dict(self.login))


@dataclass(frozen=True, slots=True)
class Pair:
    """A server that accepts two logins."""

    config: str
    first: Login
    second: Login


def by_password() -> Pair:
    users = '{ user: one, password: "first-word" }, { user: two, password: "second-word" }'
    first, second = (
        {"username": b"one", "password": b"first-word"},
        {"username": b"two", "password": b"second-word"},
    )
    return Pair(f"authorization {{ users: [ {users} ] }}", first, second)


def by_nkey() -> Pair:
    one, two = key_pair(nkeys.PREFIX_BYTE_USER), key_pair(nkeys.PREFIX_BYTE_USER)
    config = f"authorization {{ users: [ {{ nkey: {one.public} }}, {{ nkey: {two.public} }} ] }}"
    return Pair(config, {"nkey": one.seed.encode()}, {"nkey": two.seed.encode()})


def by_credentials_file() -> Pair:
    made = realm()
    return Pair(made.config, {"creds": made.user.encode()}, {"creds": made.colleague.encode()})


def another_kind() -> Pair:
    one = key_pair(nkeys.PREFIX_BYTE_USER)
    users = f'{{ nkey: {one.public} }}, {{ user: two, password: "second-word" }}'
    second = {"username": b"two", "password": b"second-word"}
    return Pair(f"authorization {{ users: [ {users} ] }}", {"nkey": one.seed.encode()}, second)


PAIRS: dict[str, Callable[[], Pair]] = {
    "a password": by_password,
    "an nkey": by_nkey,
    "a credentials file": by_credentials_file,
    "an nkey that a password replaces": another_kind,
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A link to a server, and the Secret that it reads."""

    link: Link
    drawer: Drawer
    declared: Declared[EventBrokerSpec]
    server: LocalNats

    async def refresh(self, *, reread: bool) -> None:
        await self.link.refresh(self.declared, reread=reread)

    async def present(self) -> set[tuple[int, str]]:
        """Our connections as the server has them: number and who logged in."""
        async with (
            aiohttp.ClientSession(self.server.monitoring_url) as http,
            http.get("/connz", params={"auth": "true"}) as answer,
        ):
            found = json.loads(await answer.text())["connections"]
        return {
            (each["cid"], each.get("authorized_user", "")) for each in found if each["name"] == "headgate"
        }

    async def only(self) -> tuple[int, str]:
        """Our only connection, once the server has forgotten those that we closed."""
        found: set[tuple[int, str]] = set()

        async def one() -> bool:
            found.clear()
            found.update(await self.present())
            return len(found) == 1

        await until("there is one connection", one, limit=5)
        return found.pop()


@asynccontextmanager
async def scene(servers: Run, name: str, config: str, login: Login) -> AsyncIterator[Scene]:
    """A link that was not asked for anything yet."""
    async with nats_server(servers, name, config=config) as server:
        nats = {"servers": [server.url], "credentialsSecretRef": {"name": "login"}}
        spec = EventBrokerSpec.model_validate({"nats": nats, "limits": {"timeout": "3s"}})
        drawer = Drawer(dict(login))
        link = Link(drawer, lambda: NOW, drawer.seen.append)
        try:
            yield Scene(link, drawer, Declared(Ref("EventBroker", "shop", "main"), "uid", 1, spec), server)
        finally:
            await link.aclose()


@pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: f"of {kind}")
async def test_a_change_in_the_secret_is_used_though_the_old_connection_still_works(
    kind: str, servers: Run
) -> None:
    """The next whole pass reads it, connects anew and lets go of the old connection."""
    pair = PAIRS[kind]()
    async with scene(servers, f"rotating-{kind.replace(' ', '-')}", pair.config, pair.first) as seen:
        await seen.refresh(reread=True)
        broker, before = seen.link.broker, await seen.only()
        seen.drawer.login = pair.second
        await seen.refresh(reread=True)
        after = await seen.only()
        assert after[0] != before[0]
        assert after[1] != before[1]
        assert seen.link.broker is not broker
        assert set(pair.second.values()) <= set(seen.drawer.seen)


async def test_a_secret_that_says_the_same_leaves_the_connection_alone(servers: Run) -> None:
    """However often it is read, and though its version is another one each time."""
    pair = by_password()
    async with scene(servers, "unrotated", pair.config, pair.first) as seen:
        await seen.refresh(reread=True)
        broker, before = seen.link.broker, await seen.only()
        for _ in range(3):
            await seen.refresh(reread=True)
        assert (seen.link.broker, await seen.only()) == (broker, before)
        assert seen.drawer.reads == 4
        await seen.refresh(reread=False)
        assert seen.drawer.reads == 4


def token(word: str) -> tuple[str, Login]:
    """A server that demands a token, and the Secret with it."""
    return f"authorization {{ token: {word} }}", {"token": word.encode()}


def password(word: str) -> tuple[str, Login]:
    """A server that demands a password, and the Secret with it."""
    config = f'authorization {{ users: [ {{ user: one, password: "{word}" }} ] }}'
    return config, {"username": b"one", "password": word.encode()}


@pytest.mark.parametrize("demand", [token, password], ids=["a token", "a password"])
async def test_a_failed_login_has_the_secret_read_at_once(
    demand: Callable[[str], tuple[str, Login]], servers: Run
) -> None:
    """Wherever the new word comes first: in the server, then in the Secret, or the other way round."""
    (config, login), (new_config, new_login) = demand("first-word"), demand("second-word")
    async with scene(servers, f"failing-{demand.__name__}", config, login) as seen:
        await seen.refresh(reread=True)
        await seen.server.reload(new_config)
        async with asyncio.timeout(5):
            if seen.link.broker is not None:
                await seen.link.broker.lost()
        with pytest.raises((Refused, Unreachable)) as failed:
            await seen.refresh(reread=False)
        assert failed.value.reason == "AuthenticationFailed"
        assert "spec.nats.credentialsSecretRef" in str(failed.value)
        reads = seen.drawer.reads
        seen.drawer.login = new_login
        await seen.refresh(reread=False)
        assert seen.drawer.reads == reads + 1
        assert seen.link.up


async def test_a_wrong_secret_is_told_though_the_old_connection_would_still_work(servers: Run) -> None:
    """What is declared does not work: better now than at the next reconnection. The right one heals it."""
    pair = by_password()
    async with scene(servers, "spoilt", pair.config, pair.first) as seen:
        await seen.refresh(reread=True)
        seen.drawer.login = {"username": b"one", "password": b"nonsense"}
        with pytest.raises(Refused) as refusal:
            await seen.refresh(reread=True)
        assert refusal.value.reason == "AuthenticationFailed"
        assert "nonsense" not in str(refusal.value)
        seen.drawer.login = pair.second
        await seen.refresh(reread=False)
        assert await seen.only()
