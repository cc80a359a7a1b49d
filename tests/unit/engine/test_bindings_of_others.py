"""ConfigMaps that are somebody else's, gone, or not to be touched, and bindings that move to another name."""

from dataclasses import replace

import pytest
from tests.unit.engine.test_bindings import Bench

from headgate.core.outcomes import Finding, Outcome
from headgate.core.status.account import BindingAccount
from headgate.kube.errors import Forbidden
from headgate.kube.values import ConfigMap, Owner

OURS = Owner("headgate.dev/v1alpha1", "ConsumerGroup", "a", "uid-of-a")
THEIRS = ConfigMap("shop", "a", "theirs", "1", {"x": "1"})


class Closed(Bench):
    """Nothing may be read, made or deleted."""

    def __init__(self) -> None:
        super().__init__("a")
        self.cluster.get_config_map = self.no  # type: ignore[method-assign]  # stands for a lack of rights
        self.cluster.create_config_map = self.no  # type: ignore[method-assign]  # the same

    @staticmethod
    async def no(*_: object, **__: object) -> ConfigMap:
        raise Forbidden("no")


async def test_without_the_right_to_write_them_the_group_goes_on_and_says_so() -> None:
    found = await Closed().ensure("a")
    assert isinstance(found, Finding)
    assert (found.outcome, found.reason, found.field) == (Outcome.WARNING, "BindingForbidden", "spec.binding")


async def test_one_of_ours_that_an_interrupted_pass_made_is_found_again() -> None:
    """The answer to the creation was lost, and so was all memory of it."""
    bench = Bench("a")
    bench.cluster.put(ConfigMap("shop", "a", "uid", "1", {"stream": "old", "revision": "4"}, {}, (OURS,)))
    assert await bench.ensure("a") == BindingAccount("a", 5)
    assert bench.cluster.asked == ["create shop/a", "get shop/a", "patch shop/a"]


async def test_settings_that_left_the_binding_leave_the_config_map() -> None:
    bench = await Bench("a").written()
    await bench.ensure("a", content={"subject": "x"})
    assert dict(bench.cluster.maps["shop", "a"].data) == {"subject": "x", "revision": "2"}


async def test_a_forgotten_group_is_read_again() -> None:
    bench = await Bench("a").written()
    bench.bindings.forget(bench.entries["a"].ref)
    await bench.ensure("a")
    assert bench.cluster.asked == ["get shop/a"]


# --- before anything is made


async def test_a_name_that_somebody_has_is_taken() -> None:
    bench = Bench("a")
    bench.cluster.put(THEIRS)
    found = await bench.bindings.taken(bench.entries["a"], "a")
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.REFUSED, "BindingTaken")


async def test_a_name_that_nobody_has_is_not() -> None:
    bench = Bench("a")
    assert await bench.bindings.taken(bench.entries["a"], "a") is None


async def test_a_name_that_is_ours_is_not() -> None:
    bench = Bench("a")
    bench.cluster.put(replace(THEIRS, owners=(OURS,)))
    assert await bench.bindings.taken(bench.entries["a"], "a") is None


async def test_where_nothing_may_be_read_nothing_is_taken() -> None:
    bench = Closed()
    assert await bench.bindings.taken(bench.entries["a"], "a") is None


@pytest.mark.parametrize("known", [True, False], ids=["known by now", "shown in status"])
async def test_who_has_a_binding_is_not_asked_about_it(*, known: bool) -> None:
    bench = await Bench("a").written()
    if not known:
        bench.bindings.forget(bench.entries["a"].ref)
    else:
        bench.entries["a"] = replace(bench.entries["a"], status={})
    assert await bench.bindings.taken(bench.entries["a"], "a") is None
    assert bench.cluster.asked == []


# --- another name


class Moving(Bench):
    """A group that declares another name by now; what is deleted is written down."""

    def __init__(self) -> None:
        super().__init__("a")
        self.deleted: list[str] = []
        self.cluster.delete_config_map = self.delete  # type: ignore[attr-defined]  # which the others never need

    async def delete(self, known: ConfigMap) -> None:
        self.deleted.append(known.name)
        del self.cluster.maps[known.namespace, known.name]

    async def moved(self, wanted: str | None) -> list[str]:
        """Withdraw what is not declared any more."""
        await self.bindings.withdraw(self.entries["a"], wanted)
        return self.deleted


@pytest.mark.parametrize("wanted", ["b", None], ids=["under another name", "not at all"])
async def test_what_is_declared_otherwise_is_taken_away(wanted: str | None) -> None:
    bench = Moving()
    await bench.written()
    assert await bench.moved(wanted) == ["a"]


async def test_what_is_declared_stays() -> None:
    bench = Moving()
    await bench.written()
    assert await bench.moved("a") == []


async def test_without_a_binding_in_status_nothing_is_looked_for() -> None:
    bench = Moving()
    assert await bench.moved("b") == []
    assert bench.cluster.asked == []


async def test_what_somebody_else_has_under_the_old_name_stays() -> None:
    bench = Moving()
    await bench.written()
    bench.cluster.spoil("shop", "a", owners=())
    assert await bench.moved("b") == []


async def test_what_is_gone_already_is_fine() -> None:
    bench = Moving()
    await bench.written()
    bench.cluster.maps.clear()
    assert await bench.moved("b") == []
