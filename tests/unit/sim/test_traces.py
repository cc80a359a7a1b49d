"""The standard traces, and traces as users write them."""

import pytest

from headgate.sim.setting import Scenario, Terms, Workers
from headgate.sim.sweep import VARIANTS
from headgate.sim.traces import TRACES, from_csv


def test_there_are_thirteen_of_two_hours() -> None:
    assert len(TRACES) == 13
    assert {len(trace.rates) for trace in TRACES.values()} == {7200}


@pytest.mark.parametrize(
    ("name", "second", "rate"),
    [
        ("spike", 2999, 60),
        ("spike", 3000, 600),
        ("spike", 3119, 600),
        ("spike", 3120, 60),
        ("micro_spikes", 579, 80),
        ("micro_spikes", 580, 400),
        ("micro_spikes", 600, 80),
        ("diurnal", 0, 20),
        ("diurnal", 3600, 480),
        ("sawtooth", 0, 40),
        ("sawtooth", 450, 320),
        ("sawtooth", 900, 40),
        ("batch_idle", 599, 0),
        ("batch_idle", 600, 20_000),
        ("batch_idle", 2400, 20_000),
    ],
)
def test_what_arrives(name: str, second: int, rate: float) -> None:
    assert TRACES[name].rates[second] == pytest.approx(rate)


def test_replicas_that_leak_get_slower_all_the_time() -> None:
    leak = Scenario(TRACES["slow_leak"])
    assert [leak.service_rate(second) for second in (0, 3600, 7200)] == pytest.approx([50, 32.5, 15])


def test_a_rate_holds_until_the_next_line() -> None:
    found = from_csv("mine", ["\ufeffsecond, rate\r\n", "0,10\n", "3,20.5", "", "5,0"])
    assert found.rates == (10, 10, 10, 20.5, 20.5, 0)


@pytest.mark.parametrize(
    ("rate", "service_rate", "start"),
    [(180, 50, 4), (180, 15, 14), (180, 150, 2), (0, 50, 1), (9999, 50, 24)],
)
def test_a_trace_begins_with_the_replicas_for_its_first_minute(
    rate: float, service_rate: float, start: int
) -> None:
    found = from_csv("mine", ["second,rate", f"0,{rate}", "100,0"])
    assert Scenario(found, Workers(service_rate=service_rate)).start == start


@pytest.mark.parametrize(
    ("terms", "minimum"),
    [
        pytest.param(Terms(), 0, id="a trace that is about it may go to zero"),
        pytest.param(Terms(minimum=2), 2, id="unless a minimum is given"),
    ],
)
def test_the_minimum(terms: Terms, minimum: int) -> None:
    assert Scenario(TRACES["batch_idle"], terms=terms).minimum == minimum


def test_every_setting_differs_from_the_standard_one() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS) == 15
    assert len({(variant.workers, str(variant.terms), variant.seed) for variant in VARIANTS}) == len(VARIANTS)
