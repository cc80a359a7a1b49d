"""Namespaces that a mover is to serve and may not read: gone with its rights in them, or not opened to it yet."""

from dataclasses import dataclass

import pytest
from tests.unit.mover.fakes import FakeKube

from headgate.kube.errors import Forbidden
from headgate.kube.values import Listing
from headgate.mover.orders import Name, Orders


@dataclass
class Partly(FakeKube):
    """A cluster that lets the mover into all namespaces but one."""

    async def list(self, kind: str, namespace: str | None = None) -> Listing:
        if namespace == "gone":
            raise Forbidden("may not list eventbrokers in gone")
        return await super().list(kind, namespace)


def orders(*namespaces: str) -> Orders:
    spec = {"nats": {"servers": ["nats://here:4222"]}}
    return Orders(Partly(brokers={("here", "main"): spec}, config_maps={}, secrets={}), namespaces)


async def test_the_others_are_served_all_the_same_and_it_is_said() -> None:
    heard: list[tuple[Name, str]] = []
    found = await orders("gone", "here").read(lambda name, text: heard.append((name, text)))
    assert found.keys() == {Name("here", "main")}
    assert heard == [(Name("gone", "*"), "may not list eventbrokers in gone")]


async def test_where_nothing_may_be_read_the_cluster_says_nothing() -> None:
    with pytest.raises(Forbidden):
        await orders("gone").read(lambda name, text: pytest.fail(f"{name}: {text}"))
