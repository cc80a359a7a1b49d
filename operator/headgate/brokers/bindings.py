"""What workers are told about their groups, by kind of broker: for the documentation and whoever explains it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from headgate.brokers.kafka import binding as kafka
from headgate.brokers.nats import binding as nats
from headgate.brokers.rabbitmq import binding as rabbitmq

BINDINGS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"NATS": nats.BINDING_KEYS, "Kafka": kafka.BINDING_KEYS, "RabbitMQ": rabbitmq.BINDING_KEYS}
)


def binding_keys() -> list[str]:
    """Every file that a binding may have, whatever the broker."""
    return sorted({key for keys in BINDINGS.values() for key in keys})


def meanings(key: str) -> dict[str, str]:
    """What a file says, by the brokers that have it; said once where it is the same."""
    said: dict[str, list[str]] = {}
    for broker, keys in BINDINGS.items():
        if key in keys:
            said.setdefault(keys[key], []).append(broker)
    return {", ".join(brokers): text for text, brokers in said.items()}
