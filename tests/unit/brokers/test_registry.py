"""The list of brokers, and what it costs to have it."""

import subprocess
import sys

from headgate.brokers.registry import CARRIERS, DRIVERS, Lazily


def test_having_the_list_loads_no_broker() -> None:
    """In a process of its own, since this one has long loaded them."""
    program = "import sys, headgate.engine.link; print(*(n for n in sys.modules if n.startswith('headgate.brokers.')))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert {name.split(".")[2] for name in found.stdout.split()} == {"base", "messages", "registry"}


def test_every_broker_has_a_driver_and_a_carrier() -> None:
    assert list(DRIVERS) == list(CARRIERS)
    assert all(DRIVERS[name] is DRIVERS[name] and CARRIERS[name] for name in DRIVERS)


def test_what_is_loaded_lazily_is_made_once() -> None:
    lazily = Lazily(a=lambda: ["A"], b=lambda: ["B"])
    assert len(lazily) == 2
    assert lazily["a"] == ["A"]
    assert lazily["a"] is lazily["a"]
