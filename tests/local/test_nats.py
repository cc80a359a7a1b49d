"""NATS servers of every pinned version start, survive a kill with what they stored, and form clusters."""

import asyncio
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.errors import Error as NatsError
from tests.conftest import NatsOf
from tests.servers import nats_server

from headgate.local import pki
from headgate.local.errors import LocalError
from headgate.local.nats import VERSIONS, LocalNatsCluster, nats_binary
from headgate.local.run import Run


async def ask(url: str | list[str], subject: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
    """One request to the JetStream API over a connection of its own."""
    client = await nats.connect(url, max_reconnect_attempts=1, reconnect_time_wait=0.1, **options)
    try:
        answer = await client.request(f"$JS.API.{subject}", json.dumps(body or {}).encode(), timeout=5)
        return json.loads(answer.data)
    finally:
        await client.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_pinned_version_serves_jetstream(version: str, nats_of: NatsOf) -> None:
    server = await nats_of(version)
    client = await nats.connect(server.url)
    assert client.connected_server_version.major == int(version.split(".", maxsplit=1)[0])
    await client.close()
    said = await asyncio.to_thread(_version_of, server.binary)
    assert said == f"nats-server: v{version}"
    assert "error" not in await ask(server.url, "INFO")


def _version_of(binary: Path) -> str:

    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()


async def test_what_was_stored_is_there_after_a_kill_and_a_restart_on_the_same_ports(servers: Run) -> None:
    async with nats_server(servers, "killed") as server:
        url = server.url
        await ask(url, "STREAM.CREATE.s", {"name": "s", "subjects": ["s.>"], "storage": "file"})
        await server.kill()
        with pytest.raises((NatsError, OSError)):
            await ask(url, "INFO")
        await server.restart()
        assert server.url == url
        assert (await ask(url, "STREAM.INFO.s"))["config"]["name"] == "s"


async def test_three_servers_replicate(nats_trio: LocalNatsCluster) -> None:
    body = {"name": "r3", "subjects": ["r3.>"], "num_replicas": 3}
    made = await ask(list(nats_trio.urls), "STREAM.CREATE.r3", body)
    assert len(made["cluster"]["replicas"]) == 2


async def test_a_server_demands_what_its_configuration_says(servers: Run) -> None:
    async with nats_server(servers, "guarded", config="authorization { token: s3cret }") as server:
        with pytest.raises(NatsError):
            await ask(server.url, "INFO")
        assert "error" not in await ask(server.url, "INFO", token="s3cret")
        await server.reload("authorization { token: another }")
        with pytest.raises(NatsError):
            await ask(server.url, "INFO", token="s3cret")
        assert "error" not in await ask(server.url, "INFO", token="another")


async def test_a_server_speaks_tls_with_certificates_of_a_throw_away_authority(servers: Run) -> None:
    authority = pki.Authority()
    certificate, key = authority.issue("nats").write(servers.state, "nats")
    config = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}'
    async with nats_server(servers, "tls", config=config) as server:
        trusting = ssl.create_default_context(cadata=authority.certificate.decode())
        assert "error" not in await ask(server.url.replace("nats://", "tls://"), "INFO", tls=trusting)


async def test_a_configuration_that_the_server_refuses_is_an_error_with_its_words(servers: Run) -> None:
    with pytest.raises(LocalError, match="unknown field") as refused:
        async with nats_server(servers, "broken", config="no_such_setting: 1"):
            pass
    assert refused.value.reason == "NatsFailed"


def test_a_version_that_is_not_pinned_is_refused_by_name() -> None:
    with pytest.raises(LocalError, match=r"nats-server 1\.0\.0 is not pinned"):
        nats_binary("1.0.0")
