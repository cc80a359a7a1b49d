"""Errands: one per name at a time, the newest asked for, and none after the end."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest

from headgate.engine.errands import Errands


@dataclass
class Doors:
    """Errands that wait until they are let through."""

    began: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def go(self, what: str) -> None:
        self.began.append(what)
        await self.open.wait()
        self.ended.append(what)


async def turn() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_for_meanwhile_follows_once_as_it_was_asked_for_last() -> None:
    doors, errands = Doors(), Errands[str]()
    for what in ("first", "second", "third"):
        errands.ask("a", partial(doors.go, what))
        await turn()
    assert (doors.began, len(errands)) == (["first"], 1)
    doors.open.set()
    await errands.done()
    assert (doors.ended, len(errands)) == (["first", "third"], 0)


async def test_names_do_not_wait_for_each_other() -> None:
    doors, errands = Doors(), Errands[str]()
    errands.ask("a", lambda: doors.go("a"))
    errands.ask("b", lambda: doors.go("b"))
    await turn()
    assert doors.began == ["a", "b"]
    doors.open.set()
    await errands.done()


async def test_an_errand_that_fails_is_told_and_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    doors, errands = Doors(), Errands[str]()
    doors.open.set()

    async def fail() -> None:
        raise ValueError("by intent")

    errands.ask("a", fail)
    await errands.done()
    errands.ask("a", lambda: doors.go("again"))
    await errands.done()
    assert doors.ended == ["again"]
    assert "an errand for a failed" in caplog.text


async def test_the_end_breaks_off_what_is_under_way_and_begins_nothing_more() -> None:
    doors, errands = Doors(), Errands[str]()
    errands.ask("a", lambda: doors.go("first"))
    await turn()
    errands.ask("a", lambda: doors.go("second"))
    await errands.aclose()
    errands.ask("b", lambda: doors.go("third"))
    await turn()
    assert (doors.began, doors.ended, len(errands)) == (["first"], [], 0)
