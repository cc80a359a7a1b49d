"""Which kinds of brokers there are: the only list. Knows nothing else about them."""

from typing import Final

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Driver, Refused
from headgate.brokers.messages import Carrier
from headgate.brokers.nats.carrier import NatsCarrier
from headgate.brokers.nats.driver import NatsDriver

DRIVERS: Final[dict[str, Driver]] = {
    "nats": NatsDriver()
}  # by the field of the EventBroker that declares one
CARRIERS: Final[dict[str, Carrier]] = {"nats": NatsCarrier()}  # likewise


def carrier_of(spec: EventBrokerSpec) -> Carrier:
    """How to reach the events in the broker that the spec declares."""
    for block, carrier in CARRIERS.items():
        if getattr(spec, block) is not None:
            return carrier
    raise Refused("BrokerMissing", f"spec: say how to reach the broker in one of {', '.join(CARRIERS)}")


def driver_of(spec: EventBrokerSpec) -> Driver:
    """The driver of the broker that the spec declares."""
    for block, driver in DRIVERS.items():
        if getattr(spec, block) is not None:
            return driver
    raise Refused("BrokerMissing", f"spec: say how to reach the broker in one of {', '.join(DRIVERS)}")
