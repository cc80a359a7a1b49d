"""Namespaces that are served by Roles: what the engine and the watches are told of their comings and goings."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from headgate.handlers.inbox import Scope
from headgate.handlers.served import AGAIN, BLIND, CLOSED, Served
from headgate.kube.errors import Forbidden, KubeError, Unavailable
from headgate.kube.values import Listing

SINCE = "2026-11-21T10:00:00Z"
Script = list[tuple[str, str] | KubeError]  # of one watch: events with a time of deletion, or how it fails

HERE = ("ADDED", "")
ENDS = ("MODIFIED", SINCE)
GONE = ("DELETED", SINCE)
NO = Forbidden("may not watch")
AWAY = Unavailable("no answer")


@dataclass
class World:
    """An API server that plays one script after the other, and everything that is told because of it."""

    scripts: list[Script]
    lists: list[KubeError | None] = field(default_factory=list)  # how the next lists of our kinds fail
    told: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow_namespace(self, name: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        for step in self.scripts.pop(0):
            if isinstance(step, KubeError):
                raise step
            event, since = step
            meta = {"name": name, **({"deletionTimestamp": since} if since else {})}
            yield event, {"metadata": meta}

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        assert (kind != "", namespace, metadata_only) == (True, "shop", True)
        error = self.lists.pop(0) if self.lists else None
        if error is not None:
            raise error
        return Listing("1", ())

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        self.told.append(f"{event} {kind} {body['metadata']['name']}")

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        raise AssertionError(f"labels are not for {event} {body}")

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        assert namespace == "shop"
        if since is not None:
            self.told.append(f"ends since {since:%H:%M}")

    def known(self, kind: str) -> Mapping[str, tuple[str, str]]:
        return {"u1": ("shop", "orders"), "u2": ("other", "orders")} if kind == "EventTopic" else {}

    def listed(self, parts: Collection[str | None]) -> None:
        raise AssertionError(f"nobody listed {parts}")

    async def enter(self, namespace: str) -> None:
        self.told.append(f"enter {namespace}")

    async def leave(self, namespace: str) -> None:
        self.told.append(f"leave {namespace}")

    async def sleep(self, seconds: float) -> None:
        """Goes on at once until the scripts are played, then never again."""
        self.waits.append(seconds)
        if not self.scripts:
            self.done.set()
            await asyncio.Event().wait()


@dataclass(frozen=True)
class Case:
    scripts: list[Script]
    told: list[str]
    waits: list[float]
    closed: tuple[str, ...] = ()
    lists: tuple[KubeError | None, ...] = ()


CASES = {
    "a namespace that is there is no news": Case([[HERE]], [], [AGAIN]),
    "its end is told as soon as it is seen": Case([[HERE, ENDS]], ["ends since 10:00"], [AGAIN]),
    "what was in it is gone with it, and its watches end": Case(
        [[HERE, ENDS, GONE]],
        ["ends since 10:00", "leave shop", "DELETED EventTopic orders"],
        [CLOSED],
    ),
    "one that comes back is served again": Case(
        [[GONE], [HERE]], ["leave shop", "DELETED EventTopic orders", "enter shop"], [CLOSED, AGAIN]
    ),
    "one that comes back without our rights waits for them": Case(
        [[GONE], [NO], [HERE]],
        ["leave shop", "DELETED EventTopic orders", "enter shop"],
        [CLOSED, CLOSED, AGAIN],
        lists=(NO,),
    ),
    "a watch that breaks is opened again": Case([[HERE, AWAY], [HERE]], [], [AGAIN, AGAIN]),
    "without the right to watch it, but with all others, it is served all the same": Case(
        [[NO], [NO]], [], [BLIND, BLIND]
    ),
    "when the other rights are gone too its watches end before they fail": Case(
        [[HERE], [NO], [NO]], ["leave shop"], [AGAIN, CLOSED, CLOSED], lists=(NO, NO)
    ),
    "rights that come back without the one to watch it open it again": Case(
        [[NO], [NO]], ["enter shop"], [BLIND, BLIND], closed=("shop",)
    ),
    "one that was closed from the beginning is opened when it may be": Case(
        [[NO], [HERE]], ["enter shop"], [CLOSED, AGAIN], closed=("shop",), lists=(NO,)
    ),
    "one that is seen again before its rights are stays closed": Case(
        [[HERE], [HERE]], ["enter shop"], [CLOSED, AGAIN], closed=("shop",), lists=(NO,)
    ),
    "an API server that is away closes nothing": Case([[NO]], [], [BLIND], lists=(AWAY,)),
    "and opens nothing": Case([[HERE]], [], [CLOSED], closed=("shop",), lists=(AWAY,)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_what_is_told(case: Case) -> None:
    world = World([list(script) for script in case.scripts], list(case.lists))
    served = Served(world, Scope(("shop",)), world, world, closed=case.closed, sleep=world.sleep)
    running = asyncio.create_task(served.run())
    async with asyncio.timeout(5):
        await world.done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (world.told, world.waits) == (case.told, case.waits)


async def test_where_everything_is_served_nothing_is_followed() -> None:
    world = World([])
    running = asyncio.create_task(Served(world, Scope(), world, world).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
