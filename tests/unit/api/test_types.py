"""Durations, sizes, counts, decimals and times: what is written is read back as the same value."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import (
    coarse_size,
    format_count,
    format_decimal,
    format_duration,
    format_size,
    format_time,
    parse_decimal,
    parse_duration,
    parse_size,
    parse_time,
)
from headgate.api.rules import DURATION_PATTERN, SIZE_PATTERN

LONGEST = 99_999 * 3_600_000 + 3_599_999  # the largest duration that can be written, in milliseconds
MILLISECONDS = st.integers(0, LONGEST)


@given(MILLISECONDS)
def test_durations_come_back(milliseconds: int) -> None:
    """A duration is read as the value that was written."""
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@given(MILLISECONDS)
def test_durations_are_legal(milliseconds: int) -> None:
    """What is written is accepted by the rule of the definitions: at most five digits before a unit."""
    assert re.search(DURATION_PATTERN, format_duration(timedelta(milliseconds=milliseconds)))


@given(MILLISECONDS)
def test_durations_are_canonical(milliseconds: int) -> None:
    """Writing what was read changes nothing."""
    text = format_duration(timedelta(milliseconds=milliseconds))
    assert format_duration(parse_duration(text)) == text


WRITTEN = {
    "nothing": (timedelta(), "0s"),
    "half a second": (timedelta(milliseconds=500), "500ms"),
    "four minutes and a bit, not 244400ms": (timedelta(milliseconds=244_400), "4m4s400ms"),
    "six days, not 524487s": (timedelta(seconds=524_487), "145h41m27s"),
    "a week": (timedelta(days=7), "168h"),
    "parts of a millisecond are cut off": (timedelta(microseconds=1999), "1ms"),
}


@pytest.mark.parametrize(("value", "text"), WRITTEN.values(), ids=WRITTEN.keys())
def test_durations_read_well(value: timedelta, text: str) -> None:
    """The shortest text with the largest units."""
    assert format_duration(value) == text


@pytest.mark.parametrize(
    "value", [timedelta(seconds=-1), timedelta(hours=100_000)], ids=["negative", "too long"]
)
def test_durations_that_cannot_be_written(value: timedelta) -> None:
    """There is no text for them."""
    with pytest.raises(ValueError, match="from 0s to 99999h"):
        format_duration(value)


@pytest.mark.parametrize(
    "text", ["", "5", "7d", "2w", "-1h", "1.5h", "1h ", "100000s", "1h2m3s4ms5h", "PT1H", "1h\n"]
)
def test_texts_that_are_no_durations(text: str) -> None:
    """They are refused with what to write instead."""
    with pytest.raises(ValueError, match="units h, m, s and ms"):
        parse_duration(text)


@given(st.integers(0, 2**60))
def test_sizes_come_back(value: int) -> None:
    """A size is read as the value that was written."""
    assert parse_size(format_size(value)) == value


@given(st.integers(0, 2**60))
def test_sizes_are_legal(value: int) -> None:
    """What is written is accepted by the rule of the definitions."""
    assert re.search(SIZE_PATTERN, format_size(value))


SIZES = {
    "1Mi": 2**20,
    "1040Ki": 1040 * 1024,
    "1.5Gi": 3 * 2**29,
    "1k": 1000,
    "1.0005k": None,
    "2G": 2 * 10**9,
    "0.5": None,
}


@pytest.mark.parametrize(("text", "value"), SIZES.items(), ids=SIZES.keys())
def test_sizes_as_quantities(text: str, value: int | None) -> None:
    """Binary and decimal units; what is left of a byte is rounded up; at most three digits after the point."""
    if value is None:
        with pytest.raises(ValueError, match="write a size"):
            parse_size(text)
    else:
        assert parse_size(text) == value


COUNTS = {
    0: "0",
    7: "7",
    999: "999",
    1000: "1k",
    1234: "1.2k",
    9960: "10k",
    1_234_567: "1.2M",
    999_999: "1M",
    45_600_000: "46M",
}


@pytest.mark.parametrize(("value", "text"), COUNTS.items(), ids=COUNTS.values())
def test_counts_are_coarse(value: int, text: str) -> None:
    """Two significant digits are enough for people."""
    assert format_count(value) == text


@given(st.integers(0, 10**17))
def test_counts_are_near(value: int) -> None:
    """No count is off by more than a twentieth."""
    text = format_count(value)
    factor = 1000 ** ("kMGTP".index(text[-1]) + 1) if text[-1].isalpha() else 1
    shown = Decimal(text.rstrip("kMGTP")) * factor
    assert abs(shown - value) <= Decimal(value) / 20


def test_sizes_are_coarse() -> None:
    """Bytes held are shown in binary units."""
    assert [coarse_size(size) for size in (0, 1023, 1024, 3_328_599_654)] == ["0", "1023", "1Ki", "3.1Gi"]


@given(st.decimals(0, 999_999, places=4))
def test_decimals_come_back(value: Decimal) -> None:
    """A number is read as the value that was written, without an exponent."""
    assert parse_decimal(format_decimal(value)) == value


@pytest.mark.parametrize("text", ["1e3", "-1", ".5", "5.", "", "NaN", "1,5"])
def test_texts_that_are_no_decimals(text: str) -> None:
    """They are refused with what to write instead."""
    with pytest.raises(ValueError, match="in quotes"):
        parse_decimal(text)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  (Hypothesis wants naive bounds)
def test_times_come_back(value: datetime) -> None:
    """A moment is read as what was written: UTC, whole seconds."""
    assert parse_time(format_time(value)) == value.replace(microsecond=0)


def test_times_are_moments() -> None:
    """Zones are understood, a time without one is refused."""
    assert parse_time("2026-11-01T01:00:00.5+01:00") == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="2026-11-01T00:00:00Z"):
        parse_time("2026-11-01T00:00:00")
