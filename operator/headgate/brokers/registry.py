"""Which kinds of brokers there are: the only list. Knows nothing else about them.

Each is loaded when one is declared: a process pays with its start and its memory only for the libraries it needs.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Driver, Refused
from headgate.brokers.messages import Carrier

ValueT = TypeVar("ValueT")


class Lazily(Mapping[str, ValueT]):
    """Values that are made when they are first asked for."""

    def __init__(self, **makers: Callable[[], ValueT]) -> None:
        self._makers = makers
        self._made: dict[str, ValueT] = {}

    def __getitem__(self, name: str) -> ValueT:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _nats() -> Driver:
    from headgate.brokers.nats.driver import NatsDriver  # noqa: PLC0415  (see above)

    return NatsDriver()


def _nats_carrier() -> Carrier:
    from headgate.brokers.nats.carrier import NatsCarrier  # noqa: PLC0415  (see above)

    return NatsCarrier()


def _kafka() -> Driver:
    from headgate.brokers.kafka.driver import KafkaDriver  # noqa: PLC0415  (see above)

    return KafkaDriver()


def _kafka_carrier() -> Carrier:
    from headgate.brokers.kafka.carrier import KafkaCarrier  # noqa: PLC0415  (see above)

    return KafkaCarrier()


def _rabbitmq() -> Driver:
    from headgate.brokers.rabbitmq.driver import RabbitDriver  # noqa: PLC0415  (see above)

    return RabbitDriver()


def _rabbitmq_carrier() -> Carrier:
    from headgate.brokers.rabbitmq.carrier import RabbitCarrier  # noqa: PLC0415  (see above)

    return RabbitCarrier()


DRIVERS: Final[Mapping[str, Driver]] = Lazily(
    nats=_nats, kafka=_kafka, rabbitmq=_rabbitmq
)  # by the field of the EventBroker that declares one
CARRIERS: Final[Mapping[str, Carrier]] = Lazily(
    nats=_nats_carrier, kafka=_kafka_carrier, rabbitmq=_rabbitmq_carrier
)  # likewise


def carrier_of(spec: EventBrokerSpec) -> Carrier:
    """How to reach the events in the broker that the spec declares."""
    return CARRIERS[_block(spec)]


def driver_of(spec: EventBrokerSpec) -> Driver:
    """The driver of the broker that the spec declares."""
    return DRIVERS[_block(spec)]


def _block(spec: EventBrokerSpec) -> str:
    for block in DRIVERS:
        if getattr(spec, block) is not None:
            return block
    raise Refused("BrokerMissing", f"spec: say how to reach the broker in one of {', '.join(DRIVERS)}")
