"""Who proves what to whom on an encrypted connection to the management API."""

import pytest
from tests.brokers.rabbitmq.conftest import UNHURRIED

from headgate.brokers.base import Credentials, Refused, Unreachable
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.options import Connection
from headgate.local.pki import Authority
from headgate.local.rabbitmq import start_rabbitmq
from headgate.local.rabbitmq_config import Wanted
from headgate.local.run import Run

pytestmark = pytest.mark.takes(20)


async def test_a_server_is_believed_that_our_authority_signed_and_so_are_we(servers: Run) -> None:
    authority = Authority()
    wanted = Wanted(tls=authority, client_certificates=True)
    server = await start_rabbitmq(servers, name="rabbit-tls", wanted=wanted)
    login = {"username": server.username.encode(), "password": server.password.encode()}
    pair = authority.issue("operator")
    client = {"tls.crt": pair.certificate, "tls.key": pair.key}
    rows = {
        "both prove themselves": (Credentials(login, authority.certificate, client), ""),
        "we prove nothing": (Credentials(login, authority.certificate), "TLSFailed"),
        "the server proves nothing": (
            Credentials(login, Authority("another").certificate, client),
            "TLSFailed",
        ),
    }
    try:
        for row, (credentials, reason) in rows.items():
            broker = RabbitBroker(Connection(server.management_tls_url), UNHURRIED, credentials)
            try:
                assert (await broker.facts()).type == "RabbitMQ", row
                assert reason == "", row
            except (Refused, Unreachable) as error:
                assert error.reason == reason, f"{row}: {error}"
            finally:
                await broker.aclose()
    finally:
        await server.stop()


def test_what_is_no_certificate_is_refused_before_anything_is_sent() -> None:
    for credentials in (
        Credentials({}, b"nonsense"),
        Credentials({"username": b"me"}),
        Credentials({}, client={"tls.crt": b"x"}),
    ):
        with pytest.raises(Refused) as refusal:
            RabbitBroker(Connection("https://rabbit:15671"), UNHURRIED, credentials)
        assert refusal.value.reason == "CredentialsInvalid"
