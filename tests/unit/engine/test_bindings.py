"""How often the cluster is asked for bindings, and what is made of what it says."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from headgate.core.estate import Ref
from headgate.core.outcomes import Finding
from headgate.core.status.account import BindingAccount
from headgate.engine.bindings import LABELS, SELECTOR, Bindings
from headgate.engine.shared import Shared
from headgate.engine.world import Entry, World
from headgate.engine.writer import Writer
from headgate.kube.client import KubeClient
from headgate.kube.errors import Conflict, Forbidden, NotFound
from headgate.kube.values import ConfigMap, Owner
from headgate.telemetry.metrics import Metrics

CONTENT = {"stream": "orders"}


class Cluster:
    """ConfigMaps by namespace and name, and every question about them."""

    def __init__(self) -> None:
        self.maps: dict[tuple[str, str], ConfigMap] = {}
        self.asked: list[str] = []
        self.may_list = True
        self._version = 0

    async def get_config_map(self, namespace: str, name: str) -> ConfigMap:
        """See KubeClient."""
        self.asked.append(f"get {namespace}/{name}")
        if (namespace, name) not in self.maps:
            raise NotFound(name)
        return self.maps[namespace, name]

    async def list_config_maps(self, namespace: str, selector: str) -> tuple[ConfigMap, ...]:
        """See KubeClient."""
        assert selector == SELECTOR
        self.asked.append(f"list {namespace}")
        if not self.may_list:
            raise Forbidden("no")
        key, _, value = selector.partition("=")
        return tuple(m for m in self.maps.values() if m.namespace == namespace and m.labels.get(key) == value)

    async def create_config_map(
        self, namespace: str, name: str, data: Mapping[str, str], *, labels: Mapping[str, str], owner: Owner
    ) -> ConfigMap:
        """See KubeClient."""
        self.asked.append(f"create {namespace}/{name}")
        if (namespace, name) in self.maps:
            raise Conflict(name)
        return self.put(ConfigMap(namespace, name, f"uid-{name}", "", data, labels, (owner,)))

    async def patch_config_map(self, known: ConfigMap, data: Mapping[str, str | None]) -> ConfigMap:
        """See KubeClient."""
        self.asked.append(f"patch {known.namespace}/{known.name}")
        if self.maps[known.namespace, known.name].resource_version != known.resource_version:
            raise Conflict(known.name)
        kept = {key: text for key, text in {**known.data, **data}.items() if text is not None}
        return self.put(replace(known, data=kept))

    def put(self, one: ConfigMap) -> ConfigMap:
        """Keep a ConfigMap at a new version."""
        self._version += 1
        kept = self.maps[one.namespace, one.name] = replace(one, resource_version=str(self._version))
        return kept

    def spoil(self, namespace: str, name: str, **more: Any) -> None:
        """Change one behind the operator's back."""
        self.put(replace(self.maps[namespace, name], **more))


class Bench:
    """Some groups with bindings that were written, and what was asked since."""

    def __init__(self, *names: str, namespace: str = "shop") -> None:
        self.cluster = Cluster()
        kube = cast("KubeClient", self.cluster)
        world = World("it", lambda _: None)
        shared = Shared(
            kube=kube,
            world=world,
            writer=Writer(kube, world),
            metrics=Metrics(),
            wall=lambda: datetime(2026, 11, 21, tzinfo=UTC),
            monotonic=lambda: 0.0,
            jitter=lambda: 1.0,
            keep_secret=lambda _: None,
        )
        self.bindings = Bindings(shared)
        self.entries = {name: entry(namespace, name) for name in names}

    async def written(self) -> "Bench":
        """Everything was written once, and nothing was asked since."""
        for name in self.entries:
            await self.ensure(name)
        self.cluster.asked.clear()
        return self

    async def ensure(
        self, name: str, *, reread: bool = False, content: Mapping[str, str] = CONTENT
    ) -> BindingAccount | Finding:
        """As a report of a group does it; status remembers what was written."""
        found = await self.bindings.ensure(self.entries[name], name, content, reread=reread)
        if isinstance(found, BindingAccount):
            status = {"binding": {"configMapName": name, "revision": found.revision}}
            self.entries[name] = replace(self.entries[name], status=status)
        return found

    async def pass_over_all(self) -> list[BindingAccount | Finding]:
        """A pass over everything."""
        self.bindings.begin()
        return [await self.ensure(name, reread=True) for name in self.entries]


def entry(namespace: str, name: str) -> Entry:
    return Entry(Ref("ConsumerGroup", namespace, name), f"uid-of-{name}", 1, 1, (), {}, None)


MANY = tuple(f"g{number}" for number in range(50))


async def test_a_pass_over_many_bindings_takes_one_request() -> None:
    found = await Bench(*MANY).written()
    for _ in range(3):
        assert set(await found.pass_over_all()) == {BindingAccount(name, 1) for name in MANY}
    assert found.cluster.asked == ["list shop"] * 3


async def test_between_two_passes_nothing_is_asked() -> None:
    found = await Bench("a").written()
    await found.ensure("a")
    assert found.cluster.asked == []


async def test_a_binding_that_somebody_changed_is_repaired_by_the_next_pass() -> None:
    found = await Bench(*MANY).written()
    found.cluster.spoil("shop", "g7", data={"stream": "other", "revision": "1"})
    await found.pass_over_all()
    assert found.cluster.asked == ["list shop", "patch shop/g7"]
    assert dict(found.cluster.maps["shop", "g7"].data) == {"stream": "orders", "revision": "2"}


async def test_a_binding_without_its_label_is_read_by_name() -> None:
    found = await Bench("a", "b").written()
    found.cluster.spoil("shop", "a", labels={}, data={})
    await found.pass_over_all()
    assert found.cluster.asked == ["list shop", "get shop/a", "patch shop/a"]


async def test_a_binding_that_is_gone_is_written_anew_with_a_revision_that_grew() -> None:
    found = await Bench("a").written()
    del found.cluster.maps["shop", "a"]
    assert await found.pass_over_all() == [BindingAccount("a", 2)]
    assert found.cluster.asked == ["list shop", "get shop/a", "create shop/a"]
    assert found.cluster.maps["shop", "a"].labels == LABELS


async def test_without_the_right_to_list_bindings_are_read_by_name() -> None:
    found = await Bench("a", "b").written()
    found.cluster.may_list = False
    assert await found.pass_over_all() == [BindingAccount("a", 1), BindingAccount("b", 1)]
    assert found.cluster.asked == ["list shop", "get shop/a", "get shop/b"]


async def test_what_was_written_after_the_list_is_not_taken_for_older_than_it_is() -> None:
    found = await Bench("a", "b").written()
    found.bindings.begin()
    await found.ensure("b", reread=True)
    await found.ensure("a", content={"stream": "later"})
    found.cluster.asked.clear()
    await found.ensure("a", reread=True, content={"stream": "later"})
    assert found.cluster.asked == ["get shop/a"]


async def test_after_a_start_bindings_are_listed_and_not_written() -> None:
    first = await Bench(*MANY).written()
    second = Bench()
    second.cluster, second.entries = first.cluster, first.entries
    second.bindings._shared.kube = cast("KubeClient", first.cluster)
    await second.pass_over_all()
    assert first.cluster.asked == ["list shop"]


async def test_a_config_map_of_somebody_else_is_never_taken_over() -> None:
    found = Bench("a")
    found.cluster.put(ConfigMap("shop", "a", "theirs", "", {"x": "1"}))
    said = await found.ensure("a")
    assert isinstance(said, Finding)
    assert (said.reason, dict(found.cluster.maps["shop", "a"].data)) == ("BindingTaken", {"x": "1"})


async def test_a_binding_that_changed_under_our_hands_is_read_again() -> None:
    found = await Bench("a").written()
    found.cluster.spoil("shop", "a", data={"stream": "other"})
    with pytest.raises(Conflict):
        await found.ensure("a", content={"stream": "newer"})
    await found.ensure("a", content={"stream": "newer"})
    assert found.cluster.asked == ["patch shop/a", "get shop/a", "patch shop/a"]
