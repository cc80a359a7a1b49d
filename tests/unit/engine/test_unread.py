"""What a worker does about one object of which a broker that answers can say nothing, beside others that are fine."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.engine.scene import MAIN, Scene, now

from headgate.brokers.nats.resources import ADVISORIES, consumer_key, stream_key
from headgate.brokers.nats.times import written
from headgate.core.estate import Ref
from headgate.engine.reports import BLIP

ORDERS = stream_key("orders")


class Patient(Scene):
    """A scene in which whole passes are wanted, some of them after a long time."""

    async def whole(self) -> None:
        """Everything is looked at, as at the end of resyncInterval."""
        self.worker._next_full = 0.0
        await self.look(MAIN)

    async def lasts(self) -> None:
        """The silence has gone on for a while, and everything is looked at again."""
        await self.whole()
        silent = self.worker._portion._reports._silent
        for ref, outage in silent.items():
            silent[ref] = replace(outage, since=outage.since - BLIP)
        await self.whole()

    def condition(self, ref: Ref, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of one condition."""
        conditions = self.cluster.objects[ref.kind, ref.name]["status"]["conditions"]
        return next((c["status"], c["reason"], c["message"]) for c in conditions if c["type"] == kind)

    def status(self, ref: Ref) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.objects[ref.kind, ref.name]["status"]
        return found

    def changes(self) -> list[str]:
        """What was asked of the server that changes something."""
        reading = ("INFO", "LIST", "NAMES")
        return [verb for verb in self.broker.server.asked if verb.split(".")[:2][-1] not in reading]

    def delete(self, ref: Ref) -> None:
        """Somebody asks the object to go."""
        body = self.cluster.touched(ref.kind, ref.name, deletionTimestamp=written(now()))
        self.world.see(ref.kind, "MODIFIED", body)


@pytest.fixture
async def scene() -> Patient:
    """Two topics and a group, made and well, of which the first topic then falls silent."""
    scene = Patient()
    await scene.look(MAIN)
    topics = scene.declare("orders"), scene.declare("carts")
    group = scene.declare_group("orders")
    await scene.look(*topics, *group)
    await scene.whole()
    scene.broker.fall_silent(ORDERS)
    scene.broker.server.asked.clear()
    return scene


TOPIC, OTHER = Ref("EventTopic", "shop", "orders"), Ref("EventTopic", "shop", "carts")
GROUP = Ref("ConsumerGroup", "shop", "billing")


async def test_the_others_go_on_and_the_broker_is_not_called_away(scene: Patient) -> None:
    """A setting of another topic that somebody changed is put right in the same pass."""
    scene.broker.server.stores["carts"].config["max_age"] = 1
    await scene.whole()
    assert scene.changes() == ["STREAM.UPDATE.carts"]
    assert scene.worker.link.up
    assert scene.condition(MAIN, "Reachable")[0] == "True"
    assert scene.ready("carts")[0] == "True"


async def test_the_silent_one_keeps_what_it_said_for_a_while_and_then_nobody_knows(scene: Patient) -> None:
    """As everything does while a broker is away; what it held and was is not forgotten."""
    before = scene.status(TOPIC)
    await scene.lasts()
    assert scene.ready("orders")[0] == "True"
    assert scene.condition(TOPIC, "Synced")[:2] == ("Unknown", "Unreachable")
    scene.shared.grace = timedelta(0)
    scene.worker._portion._reports._silent.clear()
    await scene.lasts()
    status, reason, message = scene.condition(TOPIC, "Ready")
    assert (status, reason) == ("False", "Unreachable")
    assert message.startswith("the broker says nothing about it now: ")
    assert scene.status(TOPIC)["record"] == before["record"]
    assert scene.changes() == []


async def test_it_heals_by_itself_when_it_answers_again(scene: Patient) -> None:
    """Nothing of it was changed meanwhile, and the same object is found."""
    identity = scene.status(TOPIC)["record"]["identity"]
    await scene.lasts()
    scene.broker.speak_again(ORDERS)
    await scene.look(TOPIC)
    assert scene.ready("orders")[0] == "True"
    assert scene.condition(TOPIC, "Synced")[0] == "True"
    assert scene.status(TOPIC)["record"]["identity"] == identity
    assert scene.changes() == []


async def test_a_status_that_was_written_is_not_written_again_with_every_look(scene: Patient) -> None:
    """Silence is no news."""
    await scene.lasts()
    version = scene.cluster._version
    await scene.whole()
    assert scene.cluster._version == version


async def test_a_silence_that_passes_is_not_told_at_all(scene: Patient) -> None:
    """Servers are restarted and leaders elected every now and then; each would cost two writes for every object."""
    version = scene.cluster._version
    await scene.whole()
    await scene.whole()
    scene.broker.speak_again(ORDERS)
    await scene.whole()
    assert scene.cluster._version == version
    scene.broker.fall_silent(ORDERS)
    await scene.lasts()
    assert scene.condition(TOPIC, "Synced")[0] == "Unknown"


async def test_an_edit_of_a_silent_object_is_answered_at_once(scene: Patient) -> None:
    """Whoever edits waits for a word on that edit."""
    await scene.whole()
    scene.cluster.objects["EventTopic", "orders"]["spec"]["retention"] = {"maxAge": "2h"}
    scene.world.see("EventTopic", "MODIFIED", scene.cluster.touched("EventTopic", "orders", generation=2))
    await scene.look(TOPIC)
    assert scene.ready("orders") == ("Unknown", 2)
    assert scene.changes() == []


async def test_it_is_looked_at_again_soon_and_then_less_often(scene: Patient) -> None:
    """Without waiting for the next whole pass."""
    await scene.whole()
    assert TOPIC in scene.worker.queue._later
    assert scene.worker.queue._failures[TOPIC] == 1


async def test_nothing_of_many_silent_ones_counts_as_vanished(scene: Patient) -> None:
    """However many they are."""
    topics = [scene.declare(f"t{number}") for number in range(8)]
    await scene.look(*topics)
    for topic in topics:
        scene.broker.fall_silent(stream_key(topic.name))
    scene.broker.server.asked.clear()
    await scene.whole()
    assert "EstateVanished" not in {c["type"] for c in scene.status(MAIN)["conditions"]}
    assert scene.changes() == []


async def test_a_lost_topic_stays_lost_while_it_is_silent(scene: Patient) -> None:
    """Its group is not let go on by a silence."""
    scene.broker.speak_again(ORDERS)
    scene.broker.remove(ORDERS)
    await scene.whole()
    assert scene.condition(TOPIC, "Ready")[1] == "DataLost"
    lost = scene.status(TOPIC)["lost"]
    scene.broker.fall_silent(ORDERS)
    await scene.lasts()
    await scene.look(TOPIC, GROUP)
    assert scene.status(TOPIC)["lost"] == lost
    assert scene.condition(GROUP, "Ready")[1] == "TopicDataLost"
    assert scene.changes() == []


async def test_a_group_of_a_silent_topic_keeps_its_route(scene: Patient) -> None:
    """Movers go on with what it gives up."""
    routes = scene.worker.readers.routes()
    assert routes
    await scene.whole()
    assert scene.worker.readers.routes() == routes


async def test_a_process_that_finds_a_silent_group_at_its_start_still_tells_movers_its_route(
    scene: Patient,
) -> None:
    """What is written there is all that movers know."""
    routes = scene.worker.readers.routes()
    scene.worker.readers.drop(GROUP)
    await scene.whole()
    assert scene.worker.readers.routes() == routes


async def test_a_silent_topic_that_is_to_be_deleted_waits(scene: Patient) -> None:
    """Nobody knows what it holds."""
    scene.delete(GROUP)
    await scene.look(GROUP)
    scene.delete(TOPIC)
    await scene.whole()
    assert ("EventTopic", "orders") in scene.cluster.objects
    assert scene.changes() == []
    scene.broker.speak_again(ORDERS)
    await scene.look(TOPIC, GROUP)
    await scene.look(TOPIC)
    assert ("EventTopic", "orders") not in scene.cluster.objects
    assert not scene.holds("orders")


async def test_a_silent_reader_holds_up_neither_its_topic_nor_other_readers(scene: Patient) -> None:
    """It alone is unknown."""
    scene.broker.speak_again(ORDERS)
    scene.broker.fall_silent(consumer_key("orders", "billing"))
    await scene.lasts()
    assert scene.condition(TOPIC, "Synced")[0] == "True"
    assert scene.condition(GROUP, "Synced")[:2] == ("Unknown", "Unreachable")
    assert scene.changes() == []


async def test_an_object_that_falls_silent_between_look_and_change_is_tried_again(scene: Patient) -> None:
    """One change that cannot be carried out now stops no other."""
    scene.broker.speak_again(ORDERS)
    for name in ("orders", "carts"):
        scene.broker.server.stores[name].config["max_age"] = 1
    scene.broker.once_read = lambda: scene.broker.fall_silent(ORDERS)
    scene.worker._next_full = float("inf")
    await scene.look(TOPIC, OTHER)
    assert scene.changes() == ["STREAM.UPDATE.carts"]
    assert scene.worker.link.up
    assert TOPIC in scene.worker.queue._later
    scene.broker.speak_again(ORDERS)
    await scene.look(TOPIC)
    assert "STREAM.UPDATE.orders" in scene.changes()


async def test_what_headgate_itself_needs_is_not_made_anew_while_it_is_silent(scene: Patient) -> None:
    """Its identity would be another one, and the whole cluster a strange one."""
    identity = scene.status(MAIN)["identity"]
    scene.broker.fall_silent(ADVISORIES)
    await scene.whole()
    assert scene.changes() == []
    assert scene.status(MAIN)["identity"] == identity
