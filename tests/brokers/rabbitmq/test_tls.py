"""Who proves what to whom on an encrypted connection to the management API."""

import pytest
from tests.brokers.rabbitmq.conftest import UNHURRIED

from headgate.brokers.base import BrokerError, Credentials, Refused
from headgate.brokers.rabbitmq.adapter import RabbitBroker
from headgate.brokers.rabbitmq.options import Connection
from headgate.local.pki import Authority
from headgate.local.rabbitmq import start_rabbitmq
from headgate.local.rabbitmq_config import Wanted
from headgate.local.run import Run

pytestmark = pytest.mark.takes(20)


async def said(url: str, credentials: Credentials) -> str:
    """Why there is no connection; empty where there is one."""
    broker = RabbitBroker(Connection(url), UNHURRIED, credentials)
    try:
        await broker.facts()
    except BrokerError as error:
        return error.reason
    finally:
        await broker.aclose()
    return ""


async def test_a_server_is_believed_that_our_authority_signed_and_so_are_we(servers: Run) -> None:
    authority = Authority()
    wanted = Wanted(tls=authority, client_certificates=True)
    server = await start_rabbitmq(servers, name="rabbit-tls", wanted=wanted)
    login = {"username": server.username.encode(), "password": server.password.encode()}
    pair = authority.issue("operator")
    client = {"tls.crt": pair.certificate, "tls.key": pair.key}
    try:
        url = server.management_tls_url
        assert await said(url, Credentials(login, authority.certificate, client)) == ""
        assert await said(url, Credentials(login, authority.certificate)) == "TLSFailed"
        assert await said(url, Credentials(login, Authority("another").certificate, client)) == "TLSFailed"
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
