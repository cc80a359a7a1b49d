"""The list of brokers, and what it costs to have it."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from headgate.api import BROKER_BLOCKS, EventBrokerSpec
from headgate.brokers.base import Refused
from headgate.brokers.registry import CARRIERS, DRIVERS, Lazily, carrier_of, driver_of


def test_having_the_list_loads_no_broker() -> None:
    """In a process of its own, since this one has long loaded them."""
    program = "import sys, headgate.engine.link; print(*(n for n in sys.modules if n.startswith('headgate.brokers.')))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert {name.split(".")[2] for name in found.stdout.split()} == {"base", "messages", "registry"}


def test_every_broker_has_a_driver_and_a_carrier() -> None:
    assert list(DRIVERS) == list(CARRIERS) == list(BROKER_BLOCKS)
    assert all(DRIVERS[name] is DRIVERS[name] for name in DRIVERS)
    assert all(CARRIERS[name] is CARRIERS[name] for name in CARRIERS)


@pytest.mark.parametrize("find", [driver_of, carrier_of])
def test_a_broker_that_declares_nothing_is_refused(find: Callable[[EventBrokerSpec], object]) -> None:
    with pytest.raises(Refused, match="say how to reach the broker in one of nats, kafka, rabbitmq"):
        find(EventBrokerSpec())


def test_what_is_loaded_lazily_is_made_once() -> None:
    lazily = Lazily(a=lambda: ["A"], b=lambda: ["B"])
    assert len(lazily) == 2
    assert lazily["a"] == ["A"]
    assert lazily["a"] is lazily["a"]
