"""Groups that let go of what they keep, on a broker where that is a change: a queue that nobody fills any more."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.unit.engine.scene import MAIN, Scene

from headgate.api import EventBrokerSpec
from headgate.brokers.base import Broker, Credentials, Driver, Refused, Traits, Unreachable, always
from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.core.changes import Action, Change
from headgate.core.estate import Ref
from headgate.core.resource import Key, Observed

BILLING = Key("consumer", "orders/billing")


class _Releasing:
    """Everything else is handed on; what is let go of is noted."""

    def __init__(self, broker: Broker, released: list[Key]) -> None:
        self._broker, self.released = broker, released
        self.refuses = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def apply(self, change: Change) -> Observed | None:
        """See Broker."""
        if change.action is not Action.RELEASE:
            return await self._broker.apply(change)
        if self.refuses:
            raise Refused("PermissionDenied", "the user may not unbind")
        self.released.append(change.key)
        return None


class ReleasingDriver(FakeDriver):
    """The driver of the broker in memory, where groups let go."""

    traits = Traits(releases=frozenset({"ConsumerGroup"}))

    def __init__(self, broker: FakeBroker) -> None:
        super().__init__(broker)
        self.seen = _Releasing(broker, [])

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """See Driver."""
        super().connect(spec, credentials, may_act)
        return self.seen  # type: ignore[return-value]  # everything else is handed on by __getattr__


@pytest.fixture
async def scene() -> Scene:
    def releasing(driver: FakeDriver) -> Driver:
        return ReleasingDriver(driver.broker)

    scene = Scene(drivers=releasing)
    await scene.look(MAIN, scene.declare("orders"))
    return scene


def seen(scene: Scene) -> _Releasing:
    """What the broker was asked to let go of."""
    return cast("_Releasing", cast("Any", scene.worker.link.driver).seen)


async def group(scene: Scene, **fields: Any) -> Ref:
    """A group that is there."""
    spec = {
        "topicRef": {"name": "orders"},
        "start": {"from": "Earliest"},
        "deletionPolicy": "Retain",
        **fields,
    }
    ref = scene.put("ConsumerGroup", "billing", spec)
    await scene.look(ref)
    return ref


async def leave(scene: Scene, ref: Ref) -> bool:
    """Ask a group to go; whether it is gone after one look."""
    body = scene.cluster.touched(ref.kind, ref.name, deletionTimestamp="2126-11-21T12:00:00Z")
    scene.world.see(ref.kind, "MODIFIED", body)
    await scene.look(ref)
    return (ref.kind, ref.name) not in scene.cluster.objects


async def test_what_is_kept_is_let_go_of_before_its_object_goes(scene: Scene) -> None:
    gone = await leave(scene, await group(scene))
    assert (gone, seen(scene).released) == (True, [BILLING])
    assert "billing" in scene.broker.server.stores["orders"].durables


async def test_what_is_deleted_is_not_let_go_of(scene: Scene) -> None:
    gone = await leave(scene, await group(scene, deletionPolicy="Delete"))
    assert (gone, seen(scene).released) == (True, [])
    assert "billing" not in scene.broker.server.stores["orders"].durables


async def test_who_only_looked_lets_go_of_nothing(scene: Scene) -> None:
    await group(scene)
    scene.cluster.objects["ConsumerGroup", "billing"]["spec"]["mode"] = "Observe"
    scene.world.see(
        "ConsumerGroup", "MODIFIED", scene.cluster.touched("ConsumerGroup", "billing", generation=2)
    )
    ref = Ref("ConsumerGroup", "shop", "billing")
    assert (await leave(scene, ref), seen(scene).released) == (True, [])


async def test_a_group_that_cannot_let_go_stays_and_says_why(scene: Scene) -> None:
    ref = await group(scene)
    seen(scene).refuses = True
    assert not await leave(scene, ref)
    conditions = scene.cluster.objects["ConsumerGroup", "billing"]["status"]["conditions"]
    assert [c["reason"] for c in conditions if c["type"] == "Ready"] == ["PermissionDenied"]
    seen(scene).refuses = False
    await scene.look(ref)
    assert ("ConsumerGroup", "billing") not in scene.cluster.objects


async def test_a_group_that_has_to_let_go_waits_for_a_broker_that_is_away(scene: Scene) -> None:
    ref = await group(scene)
    scene.broker.go_away(Unreachable("Unreachable", "the broker is away"))
    assert not await leave(scene, ref)
    scene.broker.come_back()
    await scene.look(MAIN, ref)
    assert (ref in scene.world.entries, seen(scene).released) == (False, [BILLING])
