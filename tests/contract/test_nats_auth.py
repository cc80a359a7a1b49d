"""Every way to log in, against servers that demand it; every wrong one has a name, and no secret shows anywhere."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nkeys  # type: ignore[import-untyped]  # it ships no types
import pytest
from tests.contract.nats_jwt import key_pair, realm
from tests.contract.world import connect
from tests.servers import nats_server

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, Credentials, Refused, Unreachable
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.brokers.registry import driver_of
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.local.pki import Authority
from headgate.local.run import Run

PASSWORD, TOKEN = "pa55-word-of-billing", "t0ken-of-billing"
FAILED, TLS = "AuthenticationFailed", "TLSFailed"


def secret(**values: str) -> Credentials:
    """A credentials Secret."""
    return Credentials({key: value.encode() for key, value in values.items()})


@dataclass(frozen=True, slots=True)
class Door:
    """What a server demands, what opens it, and what does not."""

    config: str
    right: Credentials
    wrong: Mapping[str, tuple[Credentials, str]]
    scheme: str = "nats"


def by_token(_: Path) -> Door:
    wrong = {"another token": (secret(token="nonsense"), FAILED), "no token": (Credentials(), FAILED)}
    return Door(f"authorization {{ token: {TOKEN} }}", secret(token=TOKEN + "\n"), wrong)


def by_password(_: Path) -> Door:
    wrong = {
        "another password": (secret(username="billing", password="nonsense"), FAILED),
        "another user": (secret(username="mail", password=PASSWORD), FAILED),
        "a token instead": (secret(token=TOKEN), FAILED),
    }
    config = f'authorization {{ user: billing, password: "{PASSWORD}" }}'
    return Door(config, secret(username="billing", password=PASSWORD), wrong)


def by_nkey(_: Path) -> Door:
    mine, other = key_pair(nkeys.PREFIX_BYTE_USER), key_pair(nkeys.PREFIX_BYTE_USER)
    wrong = {"another seed": (secret(nkey=other.seed), FAILED)}
    config = f"authorization {{ users: [ {{ nkey: {mine.public} }} ] }}"
    return Door(config, secret(nkey=mine.seed + "\n"), wrong)


def by_credentials_file(_: Path) -> Door:
    made = realm()
    wrong = {"a user of an unknown account": (secret(creds=made.stranger), FAILED)}
    return Door(made.config, secret(creds=made.user), wrong)


def by_tls(directory: Path) -> Door:
    authority, other = Authority(), Authority("somebody else")
    certificate, key = authority.issue("server", hosts=("localhost", "127.0.0.1")).write(directory, "server")
    wrong = {
        "an authority that did not sign it": (Credentials(ca=other.certificate), TLS),
        "the authorities of the system": (Credentials(), TLS),
    }
    config = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}'
    return Door(config, Credentials(ca=authority.certificate), wrong, "tls")


def by_mutual_tls(directory: Path) -> Door:
    authority, other = Authority(), Authority("somebody else")
    certificate, key = authority.issue("server", hosts=("localhost", "127.0.0.1")).write(directory, "server")
    ca = directory / "ca.crt"
    ca.write_bytes(authority.certificate)
    config = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{ca}", verify: true }}'

    def shown(by: Authority) -> Credentials:
        pair = by.issue("headgate")
        return Credentials(
            ca=authority.certificate, client={"tls.crt": pair.certificate, "tls.key": pair.key}
        )

    wrong = {
        "no certificate of its own": (Credentials(ca=authority.certificate), TLS),
        "a certificate that another authority signed": (shown(other), TLS),
    }
    return Door(config, shown(authority), wrong, "tls")


DOORS = {
    "a token": by_token,
    "a user and a password": by_password,
    "an nkey": by_nkey,
    "a credentials file": by_credentials_file,
    "an encrypted connection": by_tls,
    "a certificate of the client": by_mutual_tls,
}


@asynccontextmanager
async def connected(url: str, credentials: Credentials) -> AsyncIterator[Broker]:
    """The adapter, closed afterwards."""
    broker = connect(url, credentials)
    try:
        yield broker
    finally:
        await broker.aclose()


@pytest.mark.parametrize("demanded", DOORS, ids=lambda name: f"the server demands {name}")
async def test_the_right_credentials_open_and_wrong_ones_are_named(
    demanded: str, servers: Run, tmp_path: Path
) -> None:
    """One server per demand; each wrong way has the same reason every time and shows no secret."""
    door = DOORS[demanded](tmp_path)
    name = demanded.replace(" ", "-")
    async with nats_server(servers, name, config=door.config) as server:
        url = server.url.replace("nats://", f"{door.scheme}://")
        async with connected(url, door.right) as broker:
            assert (await broker.facts()).server_version
        for what, (credentials, reason) in door.wrong.items():
            async with connected(url, credentials) as broker:
                for _ in range(2):
                    with pytest.raises(Refused) as refusal:
                        await broker.facts()
                    assert refusal.value.reason == reason, what
                    assert_silent(str(refusal.value), credentials)
                assert_silent(repr(vars(broker)), credentials)


def assert_silent(text: str, credentials: Credentials) -> None:
    """Nothing secret is in it."""
    for content in (*credentials.values.values(), *credentials.client.values()):
        for line in content.decode().splitlines():
            assert line in {"billing", "mail", ""} or line not in text


UNUSABLE = {
    "a credentials file without a user": secret(creds="-----BEGIN USER NKEY SEED-----\nnonsense\n"),
    "a seed that is none": secret(nkey="SUAnonsense"),
    "an unknown key": secret(passphrase="x"),
    "bytes that are no text": Credentials({"token": b"\xff\xfe"}),
    "an authority that is no certificate": Credentials(ca=b"nonsense"),
    "a certificate without its key": Credentials(client={"tls.crt": b"nonsense"}),
}


@pytest.mark.parametrize("what", UNUSABLE, ids=str)
def test_secrets_that_cannot_be_used_at_all_are_refused_before_connecting(what: str) -> None:
    """Nothing is asked of a server."""
    with pytest.raises(Refused) as refusal:
        connect("nats://127.0.0.1:1", UNUSABLE[what])
    assert refusal.value.reason == "CredentialsInvalid"
    assert "nonsense" not in str(refusal.value)


async def test_a_password_is_not_sent_to_a_server_that_offers_no_encryption() -> None:
    """Somebody in the middle who takes TLS away learns nothing."""
    heard = bytearray()

    async def eavesdrop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {
            "server_id": "x",
            "version": "2.15.1",
            "max_payload": 1024,
            "auth_required": True,
            "headers": True,
        }
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while data := await reader.read(1000):
            heard.extend(data)
        writer.close()

    server = await asyncio.start_server(eavesdrop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        connected(f"tls://127.0.0.1:{port}", secret(username="billing", password=PASSWORD)) as broker,
    ):
        with pytest.raises(Refused) as refusal:
            await broker.facts()
    assert refusal.value.reason == TLS
    assert PASSWORD.encode() not in heard


async def test_what_the_user_may_not_do_is_refused_at_once(servers: Run) -> None:
    """Without waiting for the deadline."""
    config = """authorization { users: [ { user: billing, password: x, permissions: {
        publish: { deny: "$JS.API.STREAM.CREATE.>" } } } ] }"""
    login = secret(username="billing", password="x")
    async with (
        nats_server(servers, "denying", config=config) as server,
        connected(server.url, login) as broker,
    ):
        await broker.facts()
        stream = Stream(stream_key("orders"), subjects=("orders.>",))
        change = Change(Action.CREATE, stream.key, Owner("i", "k", "n", "o"), after=stream)
        with pytest.raises(Refused) as refusal:
            async with asyncio.timeout(3):
                await broker.apply(change)
        assert refusal.value.reason == "PermissionDenied"


async def test_an_account_without_jetstream_is_named(servers: Run) -> None:
    """It is the account that has to change."""
    config = "accounts { A: { users: [ { user: a, password: x } ] } }"
    login = secret(username="a", password="x")
    async with (
        nats_server(servers, "without", config=config) as server,
        connected(server.url, login) as broker,
    ):
        with pytest.raises(Refused) as refusal:
            await broker.facts()
        assert refusal.value.reason == "PersistenceDisabled"


async def test_a_server_that_never_answers_costs_one_deadline() -> None:
    """And is Unreachable, not wrong."""
    async with await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limits = {"timeout": "300ms"}
        spec = EventBrokerSpec.model_validate(
            {"nats": {"servers": [f"nats://127.0.0.1:{port}"]}, "limits": limits}
        )
        broker = driver_of(spec).connect(spec, Credentials())
        with pytest.raises(Unreachable):
            async with asyncio.timeout(5):
                await broker.facts()
        await broker.aclose()


async def test_a_killed_server_is_noticed_and_a_restarted_one_is_found_again(servers: Run) -> None:
    """The same handle goes on working; who waits for the loss is told."""
    async with nats_server(servers, "mortal") as server, connected(server.url, Credentials()) as broker:
        await broker.facts()
        loss = asyncio.create_task(broker.lost())
        await server.kill()
        async with asyncio.timeout(5):
            await loss
        with pytest.raises(Unreachable):
            await broker.facts()
        await server.restart()
        assert (await broker.facts()).server_version


def test_a_client_certificate_leaves_no_file_behind() -> None:
    """The library reads certificates from files only; ours is gone at once."""
    pair = Authority().issue("headgate")
    ours = "headgate-*"
    before = set(Path(tempfile.gettempdir()).glob(ours))
    connect("tls://127.0.0.1:1", Credentials(client={"tls.crt": pair.certificate, "tls.key": pair.key}))
    left = {path for path in set(Path(tempfile.gettempdir()).glob(ours)) - before if path.is_file()}
    assert not left


async def test_a_domain_is_where_questions_are_asked(servers: Run, tmp_path: Path) -> None:
    """The right one answers; a wrong one is away, as it may come back."""
    config = f'jetstream {{ domain: hub, store_dir: "{tmp_path}" }}'
    async with nats_server(servers, "hub", config=config) as server:
        right = connect(server.url, jetStreamDomain="hub")
        stream = Stream(stream_key("orders"), subjects=("orders.>",))
        made = await right.apply(Change(Action.CREATE, stream.key, Owner("i", "k", "n", "o"), after=stream))
        assert (await right.observe([stream.key]))[stream.key] == made
        await right.aclose()
        wrong = connect(server.url, jetStreamDomain="rim")
        with pytest.raises(Unreachable) as away:
            await wrong.facts()
        assert away.value.reason == "NoResponders"
        await wrong.aclose()
