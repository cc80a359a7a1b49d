"""Which field of an EventBroker an error of its connection names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.core.declare import MAIN, declare

from headgate.brokers.base import BrokerError, Refused, Unreachable
from headgate.engine.link import Link
from headgate.kube.errors import NotFound
from headgate.kube.values import Secret

LOGIN = {"mechanism": "PLAIN", "credentialsSecretRef": {"name": "s"}}
KAFKA = {"kafka": {"bootstrapServers": ["127.0.0.1:1"], "sasl": LOGIN}}
NATS = {"nats": {"servers": ["nats://127.0.0.1:1"], "credentialsSecretRef": {"name": "s"}}}
PLAIN_KAFKA = {"kafka": {"bootstrapServers": ["127.0.0.1:1"]}, "limits": {"timeout": "1s"}}


class Secrets:
    """One Secret, or none."""

    def __init__(self, data: Mapping[str, bytes] | None) -> None:
        self._data = data

    async def get_secret(self, namespace: str, name: str) -> Secret:
        """Its content."""
        if self._data is None:
            raise NotFound(f"{namespace}/{name}")
        return Secret("uid", "1", self._data)


ROWS: Mapping[str, tuple[dict[str, Any], Mapping[str, bytes] | None, str, str]] = {
    "a Secret that is not there, on one broker": (
        KAFKA,
        None,
        "SecretNotFound",
        "spec.kafka.sasl.credentialsSecretRef: there is no Secret s",
    ),
    "a Secret that is not there, on another": (
        NATS,
        None,
        "SecretNotFound",
        "spec.nats.credentialsSecretRef: there is no Secret s",
    ),
    "a Secret without what is needed": (
        KAFKA,
        {"password": b"hush"},
        "CredentialsInvalid",
        "spec.kafka.sasl.credentialsSecretRef: key username",
    ),
    "servers that are not there": (
        PLAIN_KAFKA,
        {},
        "ConnectTimeout",
        "spec.kafka.bootstrapServers: the cluster",
    ),
}


@pytest.mark.parametrize("sentence", ROWS)
async def test_an_error_names_the_field(sentence: str) -> None:
    """The one that somebody has to look at."""
    spec, data, reason, begins = ROWS[sentence]
    link = Link(Secrets(data), lambda: datetime(2026, 11, 21, tzinfo=UTC), lambda _: None)
    declared = declare(MAIN, **({"nats": None} | spec))
    with pytest.raises(BrokerError) as raised:
        await link.refresh(declared, reread=True)
    await link.aclose()
    assert isinstance(raised.value, (Refused, Unreachable))
    assert raised.value.reason == reason
    assert str(raised.value).startswith(begins)
