"""No standard trace may fare worse than what is committed, and the page says what is committed."""

from dataclasses import replace
from pathlib import Path

import pytest

from headgate.sim.play import Figures
from headgate.sim.report import dump, page, parse, regressions
from headgate.sim.rivals import OURS, run
from headgate.sim.setting import Trace
from headgate.sim.sweep import BASE, FLOOR, QUEUE, VARIANTS, Results, Variant, total, worse
from headgate.sim.traces import TRACES

pytestmark = pytest.mark.unwatched  # tables reach every branch; watched, hours of a trace take twice as long
ROOT = Path(__file__).parents[3]
KEPT = parse((ROOT / "tests" / "golden" / "simulation.json").read_text())
ONE = Figures(100, 36_000, 10, 60, 50, 9, 1000)


@pytest.mark.parametrize("trace", TRACES.values(), ids=lambda trace: trace.name)
@pytest.mark.parametrize(
    "variant",
    [variant for variant in VARIANTS if variant.name in (BASE, QUEUE)],
    ids=lambda variant: variant.name,
)
def test_headgate_fares_no_more_than_a_tenth_worse_than_committed(variant: Variant, trace: Trace) -> None:
    after = run(OURS, variant.scenario(trace)).figures
    assert worse(KEPT[variant.name][trace.name][OURS], after) == ()


@pytest.mark.parametrize("name", ["keda", "keda:1/4", "ds2", "max"])
@pytest.mark.parametrize("trace", ["micro_spikes", "batch_idle"])
def test_rivals_fare_exactly_as_committed(name: str, trace: str) -> None:
    assert run(name, VARIANTS[0].scenario(TRACES[trace])).figures == KEPT[BASE][trace][name]


def test_one_configuration_reaches_the_goals_on_all_traces() -> None:
    """What is committed, with a floor for the time in which nobody can see; every figure is held by the gate above."""
    found = total(figures[OURS] for figures in KEPT[FLOOR].values())
    assert found.violation <= 2100
    assert found.replica_hours <= 165
    assert found.events <= 75


def test_a_floor_bears_what_comes_while_nobody_can_see() -> None:
    variant = next(each for each in VARIANTS if each.name == FLOOR)
    after = run(OURS, variant.scenario(TRACES["metrics_outage"])).figures
    assert worse(KEPT[FLOOR]["metrics_outage"][OURS], after) == ()
    assert after.violation < KEPT[BASE]["metrics_outage"][OURS].violation / 4


def test_every_setting_and_every_trace_is_committed() -> None:
    assert list(KEPT) == [variant.name for variant in VARIANTS]
    for variant in VARIANTS:
        assert list(KEPT[variant.name]) == list(TRACES)
        assert {tuple(policies) for policies in KEPT[variant.name].values()} == {variant.policies}


def test_the_page_says_what_is_committed() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text()
    assert page(text, KEPT) == text


def test_what_is_kept_can_be_read_back() -> None:
    assert parse(dump(KEPT)) == KEPT
    assert dump(KEPT) == (ROOT / "tests" / "golden" / "simulation.json").read_text()


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="by-trace"):
        page("nothing", KEPT)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(ONE, (), id="the same is fine"),
        pytest.param(
            replace(ONE, violation=110, replica_seconds=39_600, events=11), (), id="so is a tenth more"
        ),
        pytest.param(replace(ONE, peak_age=999, p99_age=999, repeated=9999), (), id="ages are not judged"),
        pytest.param(
            replace(ONE, violation=111),
            ("111 seconds late, and 100 were committed",),
            id="a second more is not",
        ),
        pytest.param(
            replace(ONE, replica_seconds=39_601, events=12),
            ("39,601 replica-seconds, and 36,000 were committed", "12 changes, and 10 were committed"),
            id="everything that is worse is named",
        ),
    ],
)
def test_what_counts_as_worse(after: Figures, expected: tuple[str, ...]) -> None:
    assert worse(ONE, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "fine"), [(0, 0, True), (0, 1, False), (3, 4, True), (3, 5, False)]
)
def test_small_counts_are_rounded_in_favour_of_the_new_ones(before: int, after: int, *, fine: bool) -> None:
    found = worse(replace(ONE, violation=before), replace(ONE, violation=after))
    assert (found == ()) is fine


def test_a_regression_says_where_it_is() -> None:
    before: Results = {"a": {"spike": {OURS: ONE}, "new": {}}}
    after: Results = {
        "a": {"spike": {OURS: replace(ONE, events=20)}, "new": {OURS: ONE}},
        "b": {"x": {OURS: ONE}},
    }
    assert list(regressions(before, after)) == ["a, spike: 20 changes, and 10 were committed"]


def test_a_total_has_the_sums_and_the_highest_ages() -> None:
    assert total([ONE, replace(ONE, peak_age=99)]) == Figures(200, 72_000, 20, 99, 50, 18, 2000)
