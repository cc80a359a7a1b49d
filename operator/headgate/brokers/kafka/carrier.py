"""How people and movers reach the events of a Kafka cluster. Knows nothing of Kubernetes."""

import asyncio
from functools import partial
from typing import Any, Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Credentials, Refused
from headgate.brokers.kafka.admin import Admin
from headgate.brokers.kafka.letters import KafkaLetters
from headgate.brokers.kafka.login import second_settings, settings
from headgate.brokers.kafka.messages import TRIM, KafkaMessages
from headgate.brokers.kafka.natives import connection_of
from headgate.brokers.kafka.pages import Pages
from headgate.brokers.kafka.redeliverer import Redeliverer
from headgate.brokers.kafka.sending import Sender
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.messages import Letters, Messages
from headgate.brokers.pace import Pace
from headgate.core import defaults

_TIMEOUT: Final = defaults.TIMEOUT.total_seconds()


def messages(
    connection: KafkaConnection, credentials: Credentials, *, timeout: float = _TIMEOUT, trim: float = TRIM
) -> KafkaMessages:
    """A mover's handle; what was moved is let go of every so many seconds."""
    said = _settings(connection, credentials, timeout, "headgate-mover")
    lane = Pace(defaults.REQUESTS_PER_SECOND, asyncio.Semaphore(defaults.MAX_IN_FLIGHT))
    pages = Pages(partial(second_settings, connection, credentials, timeout), timeout)
    return KafkaMessages(
        Admin(said, timeout), Redeliverer(said, timeout), Sender(said, timeout), pages, lane, trim=trim
    )


def letters(
    connection: KafkaConnection, credentials: Credentials, queue: str, *, timeout: float = _TIMEOUT
) -> KafkaLetters:
    """A person's handle on one dead-letter topic."""
    said = _settings(connection, credentials, timeout, "headgate-dlq")
    pages = Pages(partial(second_settings, connection, credentials, timeout), timeout)
    return KafkaLetters(pages, Sender(said, timeout), queue)


def _settings(
    connection: KafkaConnection, credentials: Credentials, timeout: float, name: str
) -> dict[str, Any]:
    return {**settings(connection, credentials, timeout), "client.id": name}


class KafkaCarrier:
    """Connects to the cluster that an EventBroker declares."""

    def messages(self, spec: EventBrokerSpec, credentials: Credentials) -> Messages:
        """The mover's side, connecting on first use."""
        return messages(_connection(spec), credentials, timeout=_timeout(spec))

    def letters(self, spec: EventBrokerSpec, credentials: Credentials, queue: str) -> Letters:
        """One dead-letter topic, connecting on first use."""
        return letters(_connection(spec), credentials, queue, timeout=_timeout(spec))


def _connection(spec: EventBrokerSpec) -> KafkaConnection:
    if spec.kafka is None:
        raise Refused("BrokerMissing", "spec.kafka: say how to reach the servers")
    return connection_of(spec.kafka)


def _timeout(spec: EventBrokerSpec) -> float:
    return ((spec.limits and spec.limits.timeout) or defaults.TIMEOUT).total_seconds()
