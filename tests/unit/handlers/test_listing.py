"""What the engine is told before the watches open, and what it is told when they had to start over."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from headgate.handlers.inbox import KIND_NAMES, Scope
from headgate.handlers.listing import Comparison, Everything, SetupError, streams, tell_everything
from headgate.kube.errors import Forbidden, KubeError, NotFound, Unavailable
from headgate.kube.values import Listing
from headgate.local.waiting import until


def body(uid: str, namespace: str = "shop", name: str = "orders") -> dict[str, Any]:
    return {"metadata": {"uid": uid, "namespace": namespace, "name": name, "resourceVersion": "5"}}


@dataclass
class Lists:
    """An API server that only lists; `fail` makes the next calls fail."""

    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fail: list[KubeError] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        del metadata_only
        self.asked.append((kind, namespace))
        if self.fail:
            raise self.fail.pop(0)
        return Listing("9", tuple(self.items.get(kind, ())))

    async def list_namespaces(self) -> Listing:
        self.asked.append(("Namespace", None))
        return Listing("9", ({"metadata": {"name": "shop"}},))


@dataclass
class Told:
    """An engine that writes down what it is told."""

    heard: list[tuple[str, str | None, str]] = field(default_factory=list)
    uids: dict[str, tuple[str, str]] = field(default_factory=dict)

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> None:
        self.heard.append((kind, event, body["metadata"]["uid"]))

    def see_namespace(self, event: str | None, body: Mapping[str, Any]) -> None:
        self.heard.append(("Namespace", event, body["metadata"]["name"]))

    def known(self, kind: str) -> Mapping[str, tuple[str, str]]:
        return self.uids if kind == "EventTopic" else {}

    def see_ending(self, namespace: str, since: datetime | None) -> None:
        self.heard.append(("ending", None if since is None else str(since), namespace))

    def listed(self, parts: Collection[str | None]) -> None:
        self.heard.append(("listed", None, ",".join(map(str, parts))))


async def test_everything_is_told_namespaces_first_and_the_end_last() -> None:
    told = Told()
    lists = Lists({"EventTopic": [body("t1"), body("t2")], "EventBroker": [body("b1")]})
    found = await tell_everything(lists, Scope(), told)
    assert found == Everything(3)
    assert told.heard == [
        ("Namespace", None, "shop"),
        ("EventBroker", None, "b1"),
        ("EventTopic", None, "t1"),
        ("EventTopic", None, "t2"),
        ("listed", None, "None"),
    ]


async def test_a_namespaced_operator_asks_for_its_namespaces_only_and_never_for_namespaces() -> None:
    lists = Lists()
    await tell_everything(lists, Scope(("a", "b")), Told())
    assert sorted(lists.asked, key=str) == sorted(((k, n) for k in KIND_NAMES for n in ("a", "b")), key=str)


@dataclass
class Partly(Lists):
    """An API server that lets nobody into some namespaces."""

    shut: tuple[str, ...] = ("shut",)

    async def list(self, kind: str, namespace: str | None = None, *, metadata_only: bool = False) -> Listing:
        if namespace in self.shut:
            raise Forbidden(f"may not list in {namespace}")
        return await super().list(kind, namespace, metadata_only=metadata_only)


async def test_one_namespace_that_is_closed_keeps_nobody_from_the_others() -> None:
    told = Told()
    lists = Partly({"EventTopic": [body("t1")]})
    assert await tell_everything(lists, Scope(("open", "shut")), told) == Everything(1, ("shut",))
    assert told.heard == [("EventTopic", None, "t1"), ("listed", None, "open")]


async def test_where_all_are_closed_somebody_has_to_set_up_something() -> None:
    with pytest.raises(SetupError, match="may not list in shut"):
        await tell_everything(Partly(), Scope(("shut",)), Told())


async def test_what_is_not_watched_any_more_is_not_compared_until_it_is_again() -> None:
    lists, scope = Lists(), Scope(("a", "b"))
    comparison = Comparison(lists, scope, Told(), settle=0.001)
    path = {part: path for path, (kind, part) in streams(scope).items() if kind == "EventTopic"}
    comparison.opened(path["a"])
    comparison.leave("a")
    running = asyncio.create_task(comparison.run())
    await until("its turn went by", lambda: _idle(comparison), every=0.001)
    comparison.opened(path["b"])
    await until("the other one was compared", lambda: _asked(lists, 1), every=0.001)
    comparison.opened(path["a"])
    await until("it is compared again", lambda: _asked(lists, 2), every=0.001)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert lists.asked == [("EventTopic", "b"), ("EventTopic", "a")]


async def _idle(comparison: Comparison) -> bool:
    return comparison._due.empty()


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    told = Told()
    lists = Lists(fail=[Unavailable("away", retry_after=0.001)])
    await tell_everything(lists, Scope(), told)
    assert told.heard[-1][0] == "listed"


SETUP: dict[str, tuple[KubeError, str]] = {
    "without the definitions it says how to install them": (NotFound("404"), "headgate crds"),
    "without a permission it says which one": (
        Forbidden("may not list eventtopics"),
        "may not list eventtopics",
    ),
}


@pytest.mark.parametrize(("error", "text"), SETUP.values(), ids=SETUP.keys())
async def test_what_somebody_has_to_set_up_is_said(error: KubeError, text: str) -> None:
    with pytest.raises(SetupError, match=text):
        await tell_everything(Lists(fail=[error]), Scope(), Told())


def test_every_watched_collection_has_its_path() -> None:
    found = streams(Scope(("shop",)))
    path = "/apis/headgate.dev/v1alpha1/namespaces/shop/eventtopics"
    assert (len(found), found[path]) == (len(KIND_NAMES), ("EventTopic", "shop"))


async def compared(lists: Lists, told: Told, scope: Scope, expected: int) -> None:
    comparison = Comparison(lists, scope, told, settle=0.001)
    running = asyncio.create_task(comparison.run())
    for stream in streams(scope):
        comparison.opened(stream)
    comparison.opened("/api/v1/namespaces")

    async def done() -> bool:
        return len(lists.asked) >= expected

    await until("everything was compared", done, every=0.001)
    comparison.opened(next(iter(streams(scope))))
    await until("and the verdicts of the last one are in", lambda: _asked(lists, expected + 1), every=0.001)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _asked(lists: Lists, number: int) -> bool:
    return len(lists.asked) >= number


async def test_what_vanished_unseen_is_told_as_deleted_and_nothing_else() -> None:
    told = Told(uids={"t1": ("shop", "orders"), "t2": ("shop", "gone")})
    await compared(Lists({"EventTopic": [body("t1")]}), told, Scope(), len(KIND_NAMES))
    assert told.heard == [("EventTopic", "DELETED", "t2")]


async def test_objects_of_other_namespaces_are_not_missed_in_one() -> None:
    told = Told(uids={"t1": ("shop", "orders"), "t2": ("elsewhere", "fine")})
    await compared(Lists(), told, Scope(("shop",)), len(KIND_NAMES))
    assert told.heard == [("EventTopic", "DELETED", "t1")]


async def test_a_comparison_that_fails_is_made_again() -> None:
    told = Told(uids={"t1": ("shop", "orders")})
    lists = Lists(fail=[Unavailable("away")] * len(KIND_NAMES))
    await compared(lists, told, Scope(), 2 * len(KIND_NAMES))
    assert ("EventTopic", "DELETED", "t1") in told.heard
