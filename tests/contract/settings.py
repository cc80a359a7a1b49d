"""The part of the contract that goes through every setting of the broker's objects, one by one. Knows no broker."""

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.terms import OWNER, OWNER_MARK, Row, World, applied, changed, created, planned, read
from tests.contract.words import Words

from headgate.brokers.base import Refused
from headgate.core.changes import Action
from headgate.core.outcomes import Outcome
from headgate.core.resource import FieldClass, Observed, Resource, differences, reset_value, settings_of


def _drifts(base: Resource, row: Row) -> bool:
    """Whether somebody could change the setting in place, and it could be changed back."""
    return row.second is not None and not row.refused and _back(base, row)


def _back(base: Resource, row: Row) -> bool:
    """Whether a change to the second value could be undone in place."""
    return base.may_change(row.name, row.second, row.first)


class SettingsContract(Words):
    """Subclasses bring rows for every setting."""

    topic_rows: tuple[Row, ...] = ()
    reader_rows: tuple[Row, ...] = ()
    whole: bool = True  # every setting has a row; else a choice of them, beside a class that has all

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for every row, and for every row that can be changed by hand, in place or not."""
        sides = {
            "topic": (self.topic("t"), self.topic_rows),
            "reader": (self.reader("t", "r"), self.reader_rows),
        }
        fixed: list[tuple[str, Row]] = []
        for side, (base, rows) in sides.items():
            fixed += [(side, row) for row in rows if row.second is not None and not _back(base, row)]
            kinds = {"row": rows, "drift": [row for row in rows if _drifts(base, row)]}
            for kind, chosen in kinds.items():
                if (name := f"{side}_{kind}") in metafunc.fixturenames:
                    metafunc.parametrize(name, chosen, ids=str)
        if "fixed" in metafunc.fixturenames:
            metafunc.parametrize("fixed", fixed, ids=[f"{side} {row}" for side, row in fixed])

    async def test_a_topic_setting_is_set_seen_changed_and_reset(self, world: World, topic_row: Row) -> None:
        """Every setting that the broker has, one by one."""
        await self._life_of(world, self.topic(world.fresh("set")), topic_row)

    async def test_a_reader_setting_is_set_seen_changed_and_reset(
        self, world: World, reader_row: Row
    ) -> None:
        """Every setting that the broker has, one by one."""
        topic, _ = await self.both(world)
        await self._life_of(world, self.reader(topic.resource.key.name, "other"), reader_row)

    async def _life_of(self, world: World, base: Resource, row: Row) -> None:
        first = replace(base, **{row.name: row.first, **row.extras})
        if world.level < row.level:
            with pytest.raises(Refused) as too_old:
                await world.broker.apply(created(first))
            assert too_old.value.reason in {"NotHonoured", "UnsupportedByServer"}
            return
        made = await applied(world, created(first))
        assert getattr(made.resource, row.name) == (row.first if row.kept else None)
        if first.field_class(row.name) is FieldClass.AT_CREATION:
            return
        await self._second(world, first, made, row)

    async def _second(self, world: World, first: Resource, made: Observed, row: Row) -> None:
        if row.second is not None:
            second = replace(first, **{row.name: row.second})
            assert [diff.field for diff in differences(second, made.resource)] == [row.name]
            assert first.may_change(row.name, row.first, row.second) is not bool(row.refused)
            if row.refused and world.level < row.refused_from:
                return
            if row.refused:
                with pytest.raises(Refused) as refusal:
                    await world.broker.apply(changed(made, second))
                assert refusal.value.reason == row.refused
                return
            made = await applied(world, changed(made, second))
            assert getattr(made.resource, row.name) == row.second
        await self._reset(world, first, made, row)

    async def _reset(self, world: World, first: Resource, made: Observed, row: Row) -> None:
        """What left the declaration, with all that was declared beside it, goes back to the broker's default."""
        kind = type(first)
        defaults: dict[str, Any] = {
            name: reset_value(kind, name) for name in (row.name, *row.extras) if name in made.managed
        }
        held = getattr(made.resource, row.name)
        if defaults.get(row.name) is None or not first.may_change(row.name, held, defaults[row.name]):
            return
        if not all(first.may_change(name, getattr(first, name), value) for name, value in defaults.items()):
            defaults = {row.name: defaults[row.name]}
        reset = await applied(world, changed(made, replace(first, **defaults)))
        assert getattr(reset.resource, row.name) == defaults[row.name]
        assert row.name not in reset.managed

    async def test_every_setting_is_in_the_tables(self) -> None:
        """A setting that nobody tries is a promise that nobody keeps."""
        for base, rows in ((self.topic("t"), self.topic_rows), (self.reader("t", "r"), self.reader_rows)):
            tried, all_there_are = {row.name for row in rows}, set(settings_of(type(base)))
            assert tried <= all_there_are
            assert tried == all_there_are or not self.whole

    async def test_a_topic_changed_by_hand_is_noticed_and_repaired(
        self, world: World, topic_drift: Row
    ) -> None:
        """Setting by setting: the plan names that one, and after it there is nothing left to plan."""
        await self._drift_of(world, self.topic(world.fresh("drift")), topic_drift)

    async def test_a_reader_changed_by_hand_is_noticed_and_repaired(
        self, world: World, reader_drift: Row
    ) -> None:
        """Setting by setting, and whoever reads through it keeps the position."""
        topic, _ = await self.both(world)
        await self._drift_of(world, self.reader(topic.resource.key.name, "other"), reader_drift)

    async def _drift_of(self, world: World, base: Resource, row: Row) -> None:
        first = replace(base, **row.extras, **{row.name: row.first})
        if world.level < row.level:
            with pytest.raises(Refused):
                await world.broker.apply(created(first))
            return
        made = await applied(world, created(first))
        await world.make(replace(first, **{row.name: row.second}), {})
        drifted = await read(world, made.resource.key)
        (repair,) = planned(first, drifted, made).changes
        assert (repair.action, [diff.field for diff in repair.diffs]) == (Action.UPDATE, [row.name])
        repaired = await applied(world, repair)
        assert (repaired.identity, planned(first, repaired, made).changes) == (made.identity, ())

    async def test_what_was_made_anew_by_hand_with_a_fixed_setting_changed_is_left_alone(
        self, world: World, fixed: tuple[str, Row]
    ) -> None:
        """What cannot be changed in place is told with the way out, whatever else would be repaired."""
        side, row = fixed
        if side == "topic":
            await self._fixed_of(world, self.topic(world.fresh("fixed")), row)
            return
        topic, _ = await self.both(world)
        await self._fixed_of(world, self.reader(topic.resource.key.name, "other"), row)

    async def _fixed_of(self, world: World, base: Resource, row: Row) -> None:
        if world.level < row.level:
            return
        first = replace(base, **row.extras, **{row.name: row.first})
        made = await applied(world, created(first))
        await world.remove(made.resource.key)
        await world.make(replace(first, **{row.name: row.second}), {OWNER_MARK: str(OWNER)})
        found = await read(world, made.resource.key)
        plan = planned(first, found, found)
        (standing,) = plan.standings[OWNER]
        (blocked,) = (each for each in standing.findings if each.outcome is Outcome.BLOCKED)
        assert plan.changes == ()
        assert blocked.field == row.name
        assert "another externalName" in blocked.message
