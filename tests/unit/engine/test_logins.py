"""How soon credentials are read again that a broker does not accept any more."""

import time

import pytest
from tests.unit.engine.scene import MAIN, Scene

from headgate.brokers.base import Refused
from headgate.engine.reconcile import PROBE_LONGEST, REFUSED_AGAIN

OUTDATED = Refused("AuthenticationFailed", "the credentials are not accepted")


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.look(MAIN)
    return scene


def wait(scene: Scene) -> float:
    """Seconds until the next try."""
    return scene.worker._next_full - time.monotonic()


async def test_credentials_that_were_good_a_moment_ago_are_read_again_at_once(scene: Scene) -> None:
    """Somebody changed them in the broker, and most likely in the Secret as well."""
    topic = scene.declare("orders")
    scene.broker._trouble = OUTDATED  # in the middle of a pass: nobody waits for the loss of the connection
    await scene.look(topic)
    assert wait(scene) <= PROBE_LONGEST


async def test_credentials_that_were_just_read_and_refused_are_given_time(scene: Scene) -> None:
    """Asking without end would lock the account out, or fill the broker's log."""
    scene.broker.go_away(OUTDATED)
    for _ in range(3):
        scene.worker._next_full = 0.0
        await scene.look(MAIN)
    assert PROBE_LONGEST < wait(scene) <= REFUSED_AGAIN


async def test_what_is_refused_for_another_reason_is_given_time_from_the_first_time_on(scene: Scene) -> None:
    """New credentials would not change it."""
    topic = scene.declare("orders")
    scene.broker._trouble = Refused("PermissionDenied", "no")
    await scene.look(topic)
    assert PROBE_LONGEST < wait(scene) <= REFUSED_AGAIN
