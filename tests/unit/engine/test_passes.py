"""What a worker does about an object that changes under its hands, with a broker in memory and a cluster that obeys."""

import asyncio
import logging
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.engine.scene import MAIN, Scene, now

from headgate.brokers.base import BrokerError, Unavailable, Unknown, Unreachable
from headgate.brokers.nats.times import written
from headgate.core.estate import Ref
from headgate.core.moves import DATA_KEY, load
from headgate.engine.operator import Operator
from headgate.engine.unplaced import EARLY, Unplaced
from headgate.kube.client import KubeClient
from headgate.settings import Settings
from headgate.telemetry.metrics import Metrics


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.look(MAIN)
    return scene


async def test_nothing_is_made_on_an_event_broker_that_is_gone_before_its_finalizer() -> None:
    scene = Scene()
    topic = scene.declare("orders")
    del scene.cluster.objects["EventBroker", "main"]
    await scene.look(MAIN, topic)
    assert not scene.holds("orders")


async def test_nothing_is_made_for_an_object_that_is_gone_before_its_finalizer(scene: Scene) -> None:
    topic = scene.declare("brief")
    del scene.cluster.objects["EventTopic", "brief"]
    await scene.look(topic)
    assert not scene.holds("brief")


async def test_an_object_deleted_in_the_middle_of_a_pass_takes_its_stream_with_it(scene: Scene) -> None:
    topic = scene.declare("orders")

    def delete() -> None:
        body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
        scene.world.see("EventTopic", "MODIFIED", body)

    scene.broker.meanwhile["orders"] = delete
    await scene.look(topic)
    assert scene.holds("orders")
    assert ("EventTopic", "orders") in scene.cluster.objects
    await scene.look(topic)
    assert not scene.holds("orders")
    assert ("EventTopic", "orders") not in scene.cluster.objects


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("GroupActive", "somebody is in it"), Unknown("TimedOut", "no answer")],
    ids=["the broker cannot delete it just now", "nobody knows whether the broker did"],
)
async def test_an_object_stays_until_what_it_has_in_the_broker_is_deleted(
    scene: Scene, trouble: BrokerError
) -> None:
    topic = scene.declare("orders")
    await scene.look(topic)
    body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp=written(now()))
    scene.world.see("EventTopic", "MODIFIED", body)
    scene.broker.once_read = lambda: scene.broker.go_away(trouble)
    await scene.look(topic)
    assert ("EventTopic", "orders") in scene.cluster.objects
    scene.broker.come_back()
    await scene.look(topic)
    assert not scene.holds("orders")
    assert ("EventTopic", "orders") not in scene.cluster.objects


async def test_an_object_goes_when_it_has_waited_long_enough_for_its_deletion(scene: Scene) -> None:
    topic = scene.declare("orders", deletionTimeout="1m")
    await scene.look(topic)
    body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-01-01T00:00:00Z")
    scene.world.see("EventTopic", "MODIFIED", body)
    scene.broker.once_read = lambda: scene.broker.go_away(Unavailable("GroupActive", "somebody is in it"))
    await scene.look(topic)
    assert ("EventTopic", "orders") not in scene.cluster.objects
    assert scene.holds("orders")
    assert scene.cluster.said == ["shop: Orphaned"]


async def test_what_was_made_for_an_object_that_goes_before_that_was_written_down_waits_for_a_broker_that_is_away(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")

    def delete() -> None:
        body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp=written(now()))
        scene.world.see("EventTopic", "MODIFIED", body)

    def away() -> None:
        raise Unreachable("Unreachable", "the broker is away")

    scene.broker.meanwhile["orders"] = delete
    await scene.look(topic)
    scene.broker.once_read = away
    await scene.look(topic)
    assert scene.world.entries[topic].guarded
    await scene.look(topic)
    assert (scene.holds("orders"), topic in scene.world.entries) == (False, False)


async def test_an_edit_in_the_middle_of_a_pass_is_not_called_ready_before_it_is_done(scene: Scene) -> None:
    topic = scene.declare("orders")

    def edit() -> None:
        scene.cluster.objects["EventTopic", "orders"]["spec"]["retention"] = {"maxAge": "2h"}
        scene.world.see("EventTopic", "MODIFIED", scene.cluster.touched("EventTopic", "orders", generation=2))

    scene.broker.meanwhile["orders"] = edit
    await scene.look(topic)
    assert "status" not in scene.cluster.objects["EventTopic", "orders"]
    await scene.look(topic)
    assert scene.ready("orders") == ("True", 2)
    assert scene.broker.server.stores["orders"].config["max_age"] == 2 * 3600 * 10**9


async def test_an_answer_of_the_cluster_that_carries_somebody_elses_edit_is_news(scene: Scene) -> None:
    topic, heard = scene.declare("orders"), list[Ref]()
    scene.world._on_dirty = heard.extend
    edited = scene.cluster.touched("EventTopic", "orders", generation=2)
    edited["spec"]["retention"] = {"maxAge": "3h"}
    scene.world.absorb(topic, edited)
    assert topic in heard


# --- what comes of a topic reaches its groups


async def test_binding_and_route_name_the_stream_in_the_pass_that_made_it(scene: Scene) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    (route,) = load(scene.cluster.maps["headgate-routes-main"].data[DATA_KEY]).routes
    assert route.identity == scene.incarnation("orders")
    assert scene.cluster.maps["bound"].data["dead-letter-subject"] == route.address


async def test_a_group_that_was_not_due_is_looked_at_once_its_topic_turned_out_to_be_another(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic)
    assert group in scene.worker.queue.take()


async def test_a_topic_that_turned_out_as_it_was_known_bothers_no_group(scene: Scene) -> None:
    topic = scene.declare("orders")
    _, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    scene.worker.queue.take()
    await scene.look(topic)
    assert group not in scene.worker.queue.take()


# --- what a policy amounts to


async def test_a_policy_hears_of_a_group_as_soon_as_it_is_worked_out_and_never_again(scene: Scene) -> None:
    topic = scene.declare("orders")
    policy, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    assert scene.used == [policy]
    await scene.look(group)
    assert scene.used == [policy]


def nobody(ref: Ref) -> None:
    raise AssertionError(f"{ref} lives on no broker")


async def test_what_has_found_its_broker_is_not_let_go_of_by_the_loop_for_those_that_have_none(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")
    await scene.look(topic)
    leaving = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
    scene.world.see("EventTopic", "MODIFIED", leaving)
    handed = list[Ref]()
    late = Unplaced(scene.shared, lambda _: None, lambda _: False, handed.append)
    await late._one(topic)
    assert (handed, late.queue.take()) == ([topic], ())
    assert scene.world.entries[topic].guarded
    await scene.look(topic)
    assert not scene.holds("orders")


async def test_who_was_told_of_before_its_broker_is_handed_to_the_loop_of_that(scene: Scene) -> None:
    topic = scene.declare("orders")
    kube, scrubber = cast("KubeClient", scene.cluster), cast("Any", None)
    operator = Operator(kube, Settings(), installation="here", metrics=Metrics(), scrubber=scrubber)
    for kind, name in scene.cluster.objects:
        operator.see(kind, None, scene.cluster.touched(kind, name))
    operator._running = True
    try:
        operator._hand_over(topic)
        assert topic in operator._branches[MAIN].worker.queue.take()
    finally:
        tasks = operator._branches[MAIN].tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_policy_keeps_what_was_reported_until_its_groups_are_known_again(scene: Scene) -> None:
    topic = scene.declare("orders")
    policy, queue, group = scene.declare_group("orders")
    await scene.look(queue, topic, group)
    loop = Unplaced(scene.shared, scene.worker.readers.placed, lambda _: True, nobody)
    await loop._one(policy)
    reported = scene.cluster.objects["RetryPolicy", "calm"]["status"]
    assert [each["group"] for each in reported["worst"]] == ["shop/billing"]

    passed = [0.0]
    shared = replace(scene.shared, monotonic=lambda: passed[0])
    started_again = Unplaced(shared, lambda _: None, lambda _: False, nobody)
    await started_again._one(policy)
    assert scene.cluster.objects["RetryPolicy", "calm"]["status"] == reported
    assert started_again.queue.take() == ()
    passed[0] = EARLY
    assert started_again.queue.take() == (policy,)


async def test_what_becomes_of_a_group_is_not_known_while_its_broker_was_never_reached(scene: Scene) -> None:
    scene.declare("orders")
    _, _, group = scene.declare_group("orders")
    dangling = scene.put("ConsumerGroup", "lost", {"topicRef": {"name": "nowhere"}})
    kube, scrubber = cast("KubeClient", scene.cluster), cast("Any", None)
    operator = Operator(kube, Settings(), installation="here", metrics=Metrics(), scrubber=scrubber)
    for kind, name in scene.cluster.objects:
        operator.see(kind, None, scene.cluster.touched(kind, name))
    branch = operator._branch(MAIN)
    try:
        branch.worker.looked = True
        assert tuple(map(operator._unplaced._is_known, (group, dangling))) == (False, True)
    finally:
        for task in branch.tasks:
            task.cancel()
        await asyncio.gather(*branch.tasks, return_exceptions=True)


async def test_a_policy_nobody_ever_reported_on_does_not_wait_for_its_groups(scene: Scene) -> None:
    policy, _, _ = scene.declare_group("orders")
    await Unplaced(scene.shared, lambda _: None, lambda _: False, nobody)._one(policy)
    assert scene.cluster.objects["RetryPolicy", "calm"]["status"]["usedBy"] == 1


# --- what is decided anew because the object is another one


async def test_an_object_made_again_under_its_name_is_not_reported_on_with_what_was_decided_before(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")

    def replace_it() -> None:
        scene.declare("orders")

    scene.broker.meanwhile["orders"] = replace_it
    await scene.look(topic)
    assert "status" not in scene.cluster.objects["EventTopic", "orders"]
    assert topic in scene.worker.queue.take()


async def test_nothing_is_made_for_an_object_asked_to_go_between_decision_and_finalizer(scene: Scene) -> None:
    topic = scene.declare("orders")
    scene.cluster.objects["EventTopic", "orders"]["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    await scene.look(topic)
    assert not scene.holds("orders")


async def test_nothing_is_changed_for_an_object_asked_to_go_after_the_change_was_decided(
    scene: Scene,
) -> None:
    topic = scene.declare("orders")
    await scene.look(topic)
    scene.cluster.objects["EventTopic", "orders"]["spec"]["retention"] = {"maxAge": "2h"}
    scene.world.see("EventTopic", "MODIFIED", scene.cluster.touched("EventTopic", "orders", generation=2))

    def delete() -> None:
        body = scene.cluster.touched("EventTopic", "orders", deletionTimestamp="2026-11-21T12:00:00Z")
        scene.world.see("EventTopic", "MODIFIED", body)

    scene.broker.once_read = delete
    await scene.look(topic)
    assert scene.broker.server.stores["orders"].config["max_age"] == 3600 * 10**9
    await scene.look(topic)
    assert not scene.holds("orders")


# --- what goes while the broker is being read


def mishaps(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_object_that_goes_while_the_broker_is_read_disturbs_no_other(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    gone, topic = scene.declare("gone"), scene.declare("orders")
    scene.broker.once_read = lambda: scene.world.gone(gone)
    await scene.look(gone, topic)
    assert (scene.holds("gone"), scene.holds("orders"), mishaps(caplog)) == (False, True, [])


@pytest.mark.parametrize("due", [(), (MAIN,)], ids=["in a pass over what is due", "in a full pass"])
async def test_an_event_broker_that_goes_while_it_is_read_ends_the_pass_without_a_mishap(
    scene: Scene, caplog: pytest.LogCaptureFixture, due: tuple[Ref, ...]
) -> None:
    topic = scene.declare("orders")
    scene.broker.once_read = lambda: scene.world.gone(MAIN)
    await scene.look(*due, topic)
    assert (scene.holds("orders"), mishaps(caplog)) == (False, [])


async def test_who_loses_the_lease_in_the_middle_of_a_pass_has_no_mishap_and_looks_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    topic = scene.declare("orders")

    scene.cluster.fenced = True
    await scene.look(topic)
    assert (scene.holds("orders"), mishaps(caplog)) == (False, [])
    scene.cluster.fenced = False
    await scene.worker._turn()
    assert scene.holds("orders")


async def test_who_loses_lease_and_broker_at_once_says_nothing_and_looks_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    topic = scene.declare("orders")

    def lose() -> None:
        scene.cluster.fenced = True
        raise Unreachable("Unreachable", "the broker is away")

    scene.broker.once_read = lose
    await scene.look(topic)
    assert (scene.holds("orders"), mishaps(caplog)) == (False, [])
    scene.cluster.fenced = False
    await scene.worker._turn()
    assert scene.holds("orders")
