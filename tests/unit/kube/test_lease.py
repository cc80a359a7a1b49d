"""One acts at a time: who gets the Lease, when, and when its holder must stop."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.kube.errors import Conflict, NotFound, Unavailable
from headgate.kube.identity import Holder
from headgate.kube.lease import Leadership, LeaseLost, Pace
from headgate.kube.values import Lease
from headgate.local.waiting import until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUICK = Pace(duration=15, renew=0.001, retry=0.001, margin=3.0)
FAR = Holder("far", "-", "0ther", "1", 1, "1")
NEAR = Holder("near", "-", "b00t", "1", 1, "1")


@dataclass
class Shelf:
    """One Lease on a server that checks versions; `fail` makes the next calls fail."""

    lease: Lease | None = None
    fail: list[Exception] = field(default_factory=list)
    writes: int = 0

    async def get_lease(self, namespace: str, name: str) -> Lease:
        del namespace, name
        self._maybe_fail()
        if self.lease is None:
            raise NotFound("no Lease")
        return self.lease

    async def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Lease:
        del namespace, name
        self._maybe_fail()
        return self._put(Lease("", 0, None, 0, "uid", "0"), spec)

    async def patch_lease(self, namespace: str, name: str, known: Lease, spec: Mapping[str, Any]) -> Lease:
        del namespace, name
        self._maybe_fail()
        if self.lease is None:
            raise NotFound("no Lease")
        if known.resource_version != self.lease.resource_version:
            raise Conflict("moved on")
        return self._put(self.lease, spec)

    def _put(self, before: Lease, spec: Mapping[str, Any]) -> Lease:
        self.writes += 1
        self.lease = replace(
            before,
            holder=spec.get("holderIdentity", before.holder),
            duration=spec.get("leaseDurationSeconds", before.duration),
            transitions=spec.get("leaseTransitions", before.transitions),
            resource_version=str(self.writes),
        )
        return self.lease

    def _maybe_fail(self) -> None:
        if self.fail:
            raise self.fail.pop(0)


@dataclass
class Clock:
    """Time that passes by a fixed step each time somebody looks."""

    step: float = 0.0
    at: float = 1000.0

    def __call__(self) -> float:
        self.at += self.step
        return self.at


def leadership(shelf: Shelf, clock: Clock, holder: Holder = NEAR) -> Leadership:
    return Leadership(
        shelf,
        "platform",
        "headgate-operator",
        holder,
        now=clock,
        wall=lambda: NOON,
        pace=QUICK,
    )


async def test_the_first_one_gets_it_with_two_calls() -> None:
    shelf = Shelf()
    ours = leadership(shelf, Clock())
    await ours.acquire()
    assert (ours.held, shelf.writes, shelf.lease and shelf.lease.holder) == (True, 1, str(NEAR))


async def test_one_given_back_is_taken_at_once_and_counted_as_a_change_of_hands() -> None:
    shelf = Shelf(Lease("", 1, None, 4, "uid", "9"))
    await leadership(shelf, Clock()).acquire()
    assert shelf.lease is not None
    assert shelf.lease.transitions == 5


async def test_a_rival_waits_until_the_lease_has_stood_still_for_its_whole_duration() -> None:
    shelf = Shelf(Lease(str(FAR), 15, None, 0, "uid", "9"))
    clock = Clock(step=1.0)
    start = clock.at
    await leadership(shelf, clock).acquire()
    assert clock.at - start >= 15


async def test_a_holder_that_cannot_renew_stops_before_a_rival_may_begin() -> None:
    shelf, clock = Shelf(), Clock()
    ours = leadership(shelf, clock)
    await ours.acquire()
    clock.at += QUICK.duration - QUICK.margin
    assert not ours.held


async def test_losing_it_to_another_one_ends_the_keeping() -> None:
    shelf = Shelf()
    ours = leadership(shelf, Clock())
    await ours.acquire()
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, holder=str(FAR), resource_version="77")
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(ours.keep(), 5)
    assert not ours.held


async def test_an_api_server_that_stays_away_ends_the_keeping_in_time() -> None:
    shelf, clock = Shelf(), Clock(step=0.5)
    ours = leadership(shelf, clock)
    await ours.acquire()
    shelf.fail = [Unavailable("away")] * 1000
    start = clock.at
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(ours.keep(), 5)
    assert clock.at - start <= QUICK.duration


async def test_a_renewal_whose_answer_was_lost_is_no_loss() -> None:
    shelf = Shelf()
    ours = leadership(shelf, Clock())
    await ours.acquire()
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, resource_version="our own write, unanswered")
    keeping = asyncio.create_task(ours.keep())

    async def renewed() -> bool:
        return shelf.writes >= 4

    await until("it was renewed some times", renewed)
    keeping.cancel()
    assert ours.held


async def test_a_lease_that_somebody_deleted_is_made_again() -> None:
    shelf = Shelf()
    ours = leadership(shelf, Clock())
    await ours.acquire()
    shelf.lease = None
    keeping = asyncio.create_task(ours.keep())

    async def there() -> bool:
        return shelf.lease is not None

    await until("there is a Lease again", there)
    keeping.cancel()
    assert ours.held


async def test_giving_it_back_lets_a_successor_in_at_once() -> None:
    shelf = Shelf()
    ours, next_one = leadership(shelf, Clock()), leadership(shelf, Clock(), FAR)
    await ours.acquire()
    await ours.release()
    await asyncio.wait_for(next_one.acquire(), 5)
    assert (ours.held, next_one.held) == (False, True)
