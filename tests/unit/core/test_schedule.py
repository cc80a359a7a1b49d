"""Times that come again, above all in the two nights in which clocks change."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.schedule import Window, is_on, is_time_zone, minimum, unreadable_cron

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Window("0 8 * * 1-5", "Europe/Berlin", timedelta(hours=10), 3)
NIGHT = Window("30 2 * * *", "Europe/Berlin", timedelta(minutes=45), 2)
FRIDAY = (2026, 11, 20)


def berlin(*moment: int, fold: int = 0) -> datetime:
    return datetime(*moment, tzinfo=BERLIN, fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]  # five of six numbers


@pytest.mark.parametrize(
    ("window", "now", "on"),
    [
        pytest.param(OFFICE, berlin(*FRIDAY, 7, 59), False, id="a minute before it begins"),
        pytest.param(OFFICE, berlin(*FRIDAY, 8, 0), True, id="the moment it begins"),
        pytest.param(OFFICE, berlin(*FRIDAY, 17, 59), True, id="its last minute"),
        pytest.param(OFFICE, berlin(*FRIDAY, 18, 0), False, id="the moment it ends"),
        pytest.param(OFFICE, berlin(2026, 11, 21, 9, 0), False, id="a day on which it does not come"),
        pytest.param(OFFICE, datetime(2026, 7, 3, 6, 0, tzinfo=UTC), True, id="in summer it begins an hour earlier"),
        pytest.param(OFFICE, datetime(2026, 7, 3, 5, 59, tzinfo=UTC), False, id="and no earlier than that"),
        pytest.param(NIGHT, berlin(2026, 3, 29, 3, 0), True, id="begins in the hour that is left out: right after it"),
        pytest.param(NIGHT, berlin(2026, 3, 29, 1, 59), False, id="begins in the hour that is left out: not before"),
        pytest.param(NIGHT, berlin(2026, 3, 29, 3, 45), False, id="begins in the hour that is left out: as long as ever"),
        pytest.param(NIGHT, berlin(2026, 10, 25, 2, 30), True, id="begins in the hour that comes twice: the first time"),
        pytest.param(NIGHT, berlin(2026, 10, 25, 2, 14, fold=1), True, id="lasts into the second of the two hours"),
        pytest.param(NIGHT, berlin(2026, 10, 25, 2, 30, fold=1), False, id="begins in the hour that comes twice: once"),
        pytest.param(Window("0 8 1 1 *", "UTC", timedelta(hours=168), 1), datetime(2026, 1, 8, 7, tzinfo=UTC), True,
                     id="a whole week"),
        pytest.param(Window("*/30 * * * *", "UTC", timedelta(hours=1), 1), datetime(2026, 1, 8, 7, 29, tzinfo=UTC), True,
                     id="longer than until it comes again"),
        pytest.param(Window("0 8 31 2 *", "UTC", timedelta(hours=1), 1), datetime(2026, 1, 8, 7, tzinfo=UTC), False,
                     id="a day that never comes"),
        pytest.param(Window("0 8 * * *", "Europe/Atlantis", timedelta(hours=1), 1), datetime(2026, 1, 8, 8, tzinfo=UTC),
                     False, id="a place that is not there"),
    ],
)  # fmt: skip
def test_a_window_is_on(window: Window, now: datetime, on: bool) -> None:  # noqa: FBT001  (the column of a table)
    assert is_on(window, now) is on


def test_of_windows_that_are_on_together_the_largest_number_counts() -> None:
    noon = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    peak = Window("0 12 * * *", "Europe/Berlin", timedelta(hours=1), 7)
    assert minimum([OFFICE, peak, NIGHT], noon) == 7
    assert minimum([OFFICE, NIGHT], noon) == 3
    assert minimum([], noon) == 0


@pytest.mark.parametrize("cron", ["0 8 * * 1-5", "*/15 6-22 * JAN,FEB MON-FRI", "0 0 29 2 *", "0 9 * * 5#1"])
def test_cron_that_says_times(cron: str) -> None:
    assert not unreadable_cron(cron)


@pytest.mark.parametrize(
    "cron", ["0 8 31 2 *", "60 8 * * *", "0 8 * *", "every day at eight", "0 8 * * 8", "1-0 * * * *"]
)
def test_cron_that_says_none(cron: str) -> None:
    assert unreadable_cron(cron)


def test_time_zones_are_those_of_the_database() -> None:
    assert is_time_zone("Europe/Berlin")
    assert is_time_zone("UTC")
    assert not is_time_zone("Mars/Olympus")
    assert not is_time_zone("../../etc/passwd")


CHANGES = [(moment - datetime(2026, 1, 1)).days for moment in (datetime(2026, 3, 29), datetime(2026, 10, 25))]  # noqa: DTZ001  (days)
MINUTES = st.integers(min_value=0, max_value=2 * 366 * 24 * 60)


@given(minutes=MINUTES, seconds=st.integers(0, 59), hours=st.integers(-12, 12))
def test_a_moment_is_the_same_wherever_its_clock_hangs(minutes: int, seconds: int, hours: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes, seconds=seconds)
    elsewhere = now.astimezone(timezone(timedelta(hours=hours)))
    assert is_on(NIGHT, now) == is_on(NIGHT, elsewhere)


@given(day=st.sampled_from(CHANGES) | st.integers(min_value=0, max_value=730))
@settings(max_examples=20)
def test_a_nightly_window_is_on_for_its_duration_in_every_night(day: int) -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    minutes = sum(is_on(NIGHT, midnight + timedelta(minutes=number)) for number in range(4 * 60))
    assert minutes == 45
