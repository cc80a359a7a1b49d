"""JetStream as something that carries events: how movers and people connect to it. Knows nothing of Kubernetes."""

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Credentials, Refused
from headgate.brokers.messages import Letters, Messages
from headgate.brokers.nats.letters import NatsLetters
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.messages import NatsMessages
from headgate.core.defaults import TIMEOUT


class NatsCarrier:
    """Connects to the JetStream of an account, in its domain."""

    def messages(self, spec: EventBrokerSpec, credentials: Credentials) -> Messages:
        """The mover's side, connecting on first use."""
        link, api = _connection(spec, credentials, "headgate-mover")
        second, _ = _connection(spec, credentials, "headgate-mover-ear", apart_from=link)
        return NatsMessages(link, second, api=api)

    def letters(self, spec: EventBrokerSpec, credentials: Credentials, queue: str) -> Letters:
        """One dead-letter stream, connecting on first use."""
        link, api = _connection(spec, credentials, "headgate-dlq")
        return NatsLetters(link, queue, api=api)


def _connection(
    spec: EventBrokerSpec, credentials: Credentials, name: str, *, apart_from: Link | None = None
) -> tuple[Link, str]:
    if spec.nats is None:
        raise Refused("BrokerMissing", "spec.nats: say how to reach the servers")
    domain = spec.nats.jet_stream_domain
    limits = spec.limits
    timeout = ((limits and limits.timeout) or TIMEOUT).total_seconds()
    return Link(
        spec.nats, credentials, timeout=timeout, name=name, apart_from=apart_from
    ), f"$JS.{domain}.API." if domain else "$JS.API."
