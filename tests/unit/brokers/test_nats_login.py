"""What a server says about a login: whether it is wrong, or only came too late because a machine is busy."""

import pytest
from nats import errors
from nats.aio.client import Client

from headgate.api import NatsConnection
from headgate.brokers.base import Credentials
from headgate.brokers.nats.link import Link

ADDRESS = "nats://nowhere:1"
SAID = {
    "a wrong login is refused": ("nats: 'Authorization Violation'", "AuthenticationFailed"),
    "an expired login is refused": ("nats: 'User Authentication Expired'", "AuthenticationFailed"),
    "a login that came too late is no wrong login": ("nats: 'Authentication Timeout'", "ConnectFailed"),
}


@pytest.mark.parametrize(("text", "reason"), SAID.values(), ids=SAID)
def test_of_a_login(text: str, reason: str) -> None:
    link = Link(NatsConnection(servers=(ADDRESS,)), Credentials(), timeout=1.0, name="test")
    assert link._typed(Client(), ADDRESS, errors.Error(text)).reason == reason
