"""What is seen of dead letters every few seconds, and who hears of it; with a broker that says what it is told to say."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.brokers.base import Broker, BrokerError, Refused, Unavailable, Unreachable
from headgate.core.capturing import FULL
from headgate.core.conditions import Aspect
from headgate.core.estate import Ref
from headgate.core.progress import Capture, DeadLetters, Holding, PutOff, Room
from headgate.core.resource import Key, Unread
from headgate.engine.letters import AGEING, Letters

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAIN = Ref("EventBroker", "platform", "main")
DEAD, LATER = Ref("DeadLetterQueue", "shop", "dead"), Ref("DeadLetterQueue", "shop", "later")
FINE = Capture(NOON, 0, movers=1)
TOKEN = "2026-11-21T12:00:00.000Z"


def holding(depth: int = 0, room: Room | None = None) -> Holding:
    letters = (DeadLetters("shop/billing", depth, NOON, (("Rejected", depth),)),) if depth else ()
    return Holding(letters, room or Room(depth, 100 * depth))


@dataclass
class Saying:
    """A broker of which only dead letters are asked."""

    held: dict[str, Holding | Unread] = field(default_factory=lambda: {"dead": holding(), "later": holding()})
    notices: Capture | None = FINE
    trouble: BrokerError | None = None
    silent: BrokerError | None = None
    asked: int = 0

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return {key: self.held[key.name] for key in queues if key.name in self.held}

    async def capture(self) -> Capture | None:
        if self.silent is not None:
            raise self.silent
        return self.notices


class Scene:
    """Two queues, what their broker says, and who was told."""

    def __init__(self) -> None:
        self.says = Saying()
        self.up = True
        self.no_notices = ""
        self.queues = {DEAD: Key("stream", "dead"), LATER: Key("stream", "later")}
        self.acknowledged: dict[Ref, frozenset[str]] = {}
        self.now = NOON
        self.changed: list[Ref] = []
        self.judged: list[str] = []
        self.letters = Letters(
            MAIN,
            self._broker,
            lambda: self.queues,
            words=lambda ref: self.acknowledged.get(ref, frozenset()),
            no_notices=lambda: self.no_notices,
            clock=lambda: self.now,
            on_change=self.changed.append,
            on_verdict=lambda ref, reason: self.judged.append(f"{ref.name} {reason}"),
        )

    def _broker(self) -> Broker | None:
        return self.says if self.up else None  # type: ignore[return-value]  # only two of its methods are asked

    async def look(self, *, seconds: float = 5.0) -> tuple[list[Ref], list[str]]:
        """A look after a while: of which queues somebody was told that the report or the verdict changed."""
        self.changed.clear()
        self.judged.clear()
        self.now += timedelta(seconds=seconds)
        await self.letters.look()
        return self.changed.copy(), self.judged.copy()

    def verdict(self, ref: Ref = DEAD) -> str:
        (aspect,) = self.letters.capturing(ref)
        return aspect.reason


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.look()
    return scene


def test_nobody_speaks_before_the_first_look() -> None:
    assert Scene().letters.capturing(DEAD) == ()


async def test_the_first_look_tells_of_every_queue() -> None:
    assert await Scene().look() == ([DEAD, LATER], ["dead Capturing", "later Capturing"])


async def test_a_queue_that_does_not_keep_what_comes_is_told_at_the_first_look() -> None:
    scene = Scene()
    scene.says.held["dead"] = holding(3, Room(3, 300, 3))
    assert await scene.look() == ([DEAD, LATER], ["dead Full", "later Capturing"])


async def test_a_broker_without_notices_is_not_asked_for_them() -> None:
    scene = Scene()
    scene.no_notices, scene.says.notices = "the broker itself moves what was given up", None
    scene.says.silent = Unavailable("NoLeader", "nobody leads it")
    assert await scene.look() == ([DEAD, LATER], ["dead NoNoticeNeeded", "later NoNoticeNeeded"])


async def test_nothing_new_is_told_to_nobody(scene: Scene) -> None:
    assert await scene.look(seconds=1000) == ([], [])


async def test_what_came_is_told_at_once(scene: Scene) -> None:
    scene.says.held["later"] = holding(1)
    assert await scene.look() == ([LATER], [])
    assert scene.letters.found[LATER][0].depth == 1


async def test_what_only_grows_older_is_told_now_and_then(scene: Scene) -> None:
    scene.says.held["dead"] = holding(1)
    await scene.look()
    assert await scene.look(seconds=AGEING.total_seconds() - 1) == ([], [])
    assert await scene.look(seconds=1) == ([DEAD], [])
    assert await scene.look(seconds=1) == ([], [])


async def test_a_full_queue_is_a_matter_of_that_queue_alone_and_heals(scene: Scene) -> None:
    scene.says.held["dead"] = holding(3, Room(3, 300, 3))
    assert await scene.look() == ([DEAD], ["dead Full"])
    assert (scene.verdict(DEAD), scene.verdict(LATER)) == ("Full", "Capturing")
    assert await scene.look() == ([], [])
    scene.says.held["dead"] = holding(2, Room(2, 200, 3))
    assert await scene.look() == ([DEAD], ["dead Capturing"])


async def test_what_movers_say_concerns_the_queue_that_they_name(scene: Scene) -> None:
    scene.says.notices = replace(FINE, backlog=1, put_off=(PutOff("later", FULL),))
    assert await scene.look() == ([LATER], ["later Full"])
    assert (scene.verdict(DEAD), scene.verdict(LATER)) == ("Capturing", "Full")


async def test_a_loss_concerns_every_queue_and_is_acknowledged_for_each(scene: Scene) -> None:
    scene.says.notices = replace(FINE, missed=2, missed_at=NOON)
    assert await scene.look() == ([DEAD, LATER], ["dead AdvisoriesLost", "later AdvisoriesLost"])
    scene.acknowledged[DEAD] = frozenset({TOKEN})
    assert (scene.verdict(DEAD), scene.verdict(LATER)) == ("Capturing", "AdvisoriesLost")
    assert "EventBroker platform/main" in scene.letters.capturing(LATER)[0].message


async def test_a_queue_of_which_nobody_looked_yet_has_the_verdict_of_its_broker(scene: Scene) -> None:
    scene.says.notices = None
    await scene.look()
    assert scene.verdict(Ref("DeadLetterQueue", "shop", "new")) == "CaptureMissing"


@pytest.mark.parametrize(
    "trouble", [Unreachable("Gone", "away"), Refused("No", "no")], ids=["away", "unwilling"]
)
async def test_a_broker_that_does_not_answer_leaves_all_as_it_was(scene: Scene, trouble: BrokerError) -> None:
    scene.says.held["dead"] = holding(3, Room(3, 300, 3))
    await scene.look()
    scene.says.trouble, scene.says.held = trouble, {}
    assert await scene.look(seconds=1000) == ([], [])
    assert (scene.verdict(), scene.letters.found[DEAD][0].depth) == ("Full", 3)


async def test_notices_that_cannot_be_read_are_said_of_every_queue(scene: Scene) -> None:
    scene.says.silent = Unavailable("NoLeader", "no leader now")
    assert await scene.look() == ([DEAD, LATER], ["dead NoLeader", "later NoLeader"])
    (aspect,) = scene.letters.capturing(DEAD)
    assert (aspect.holds, aspect.reason, "no leader now" in aspect.message) == (False, "NoLeader", True)
    scene.says.silent = None
    await scene.look()
    assert scene.verdict() == "Capturing"


async def test_a_queue_that_cannot_be_read_stays_as_it_was_seen(scene: Scene) -> None:
    scene.says.held["dead"] = holding(3, Room(3, 300, 3))
    await scene.look()
    scene.says.held["dead"] = Unread("NoLeader", "no leader now")
    assert await scene.look() == ([], [])
    assert (scene.verdict(), scene.letters.found[DEAD][0].depth) == ("Full", 3)


async def test_a_queue_that_was_never_read_is_not_told() -> None:
    scene = Scene()
    scene.says.held["dead"] = Unread("NoLeader", "no leader now")
    assert await scene.look() == ([LATER], ["later Capturing"])
    assert DEAD not in scene.letters.found


async def test_a_queue_that_is_not_in_the_broker_holds_nothing(scene: Scene) -> None:
    scene.says.held["dead"] = holding(3, Room(3, 300, 3))
    await scene.look()
    del scene.says.held["dead"]
    assert await scene.look() == ([DEAD], ["dead Capturing"])
    assert (scene.verdict(), scene.letters.found[DEAD]) == ("Capturing", ())


async def test_a_queue_that_nobody_declares_any_more_is_forgotten(scene: Scene) -> None:
    del scene.queues[DEAD]
    await scene.look()
    assert scene.letters.found.keys() == {LATER}
    scene.queues[DEAD] = Key("stream", "dead")
    assert await scene.look() == ([DEAD], ["dead Capturing"])


@pytest.mark.parametrize("absent", ["broker", "queues"])
async def test_without_a_broker_or_queues_nothing_is_asked(scene: Scene, absent: str) -> None:
    scene.up = absent != "broker"
    if absent == "queues":
        scene.queues.clear()
    asked = scene.says.asked
    assert await scene.look() == ([], [])
    assert scene.says.asked == asked


async def test_a_look_that_fails_does_not_end_the_looking() -> None:
    scene, looks = Scene(), 0
    scene.queues[DEAD] = None  # type: ignore[assignment]  # what should never be

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise asyncio.CancelledError
        scene.queues[DEAD] = Key("stream", "dead")

    with pytest.raises(asyncio.CancelledError):
        await scene.letters.run(sleep)
    assert scene.letters.capturing(DEAD) == (
        Aspect("Capturing", holds=True, reason="Capturing", message="what workers give up is kept"),
    )
