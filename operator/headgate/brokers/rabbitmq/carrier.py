"""How people and movers reach the messages of a virtual host. Knows nothing of Kubernetes."""

import asyncio
from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Credentials, Refused
from headgate.brokers.messages import Letters, Messages
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.amqp import Amqp
from headgate.brokers.rabbitmq.letters import RabbitLetters
from headgate.brokers.rabbitmq.management import Management
from headgate.brokers.rabbitmq.messages import RabbitMessages
from headgate.brokers.rabbitmq.options import Connection, connection_of
from headgate.brokers.rabbitmq.reading import Reader
from headgate.core import defaults

_TIMEOUT: Final = defaults.TIMEOUT.total_seconds()


class RabbitCarrier:
    """Connects to the virtual host that an EventBroker declares."""

    def messages(self, spec: EventBrokerSpec, credentials: Credentials) -> Messages:
        """The mover's side, connecting on first use."""
        return messages(_connection(spec), credentials, timeout=_timeout(spec))

    def letters(self, spec: EventBrokerSpec, credentials: Credentials, queue: str) -> Letters:
        """One dead-letter queue, connecting on first use."""
        return letters(_connection(spec), credentials, queue, timeout=_timeout(spec))


def _connection(spec: EventBrokerSpec) -> Connection:
    if spec.rabbitmq is None:
        raise Refused("BrokerMissing", "spec.rabbitmq: say how to reach the virtual host")
    return connection_of(spec.rabbitmq)


def _timeout(spec: EventBrokerSpec) -> float:
    declared = spec.limits.timeout if spec.limits else None
    return declared.total_seconds() if declared else _TIMEOUT


def letters(
    connection: Connection, credentials: Credentials, queue: str, *, timeout: float = _TIMEOUT
) -> RabbitLetters:
    """A person's handle on one dead-letter queue."""
    reader = Reader(Management(connection, credentials, timeout=timeout))
    amqp = Amqp(connection, credentials, timeout=timeout, name="headgate-dlq")
    return RabbitLetters(amqp, reader, lane(), queue)


def messages(
    connection: Connection, credentials: Credentials, *, timeout: float = _TIMEOUT
) -> RabbitMessages:
    """A mover's handle."""
    reader = Reader(Management(connection, credentials, timeout=timeout))
    amqp = Amqp(connection, credentials, timeout=timeout, name="headgate-mover")
    return RabbitMessages(amqp, reader, lane())


def lane() -> Pace:
    """Somebody who asks for a few things."""
    return Pace(defaults.REQUESTS_PER_SECOND, asyncio.Semaphore(defaults.MAX_IN_FLIGHT))
