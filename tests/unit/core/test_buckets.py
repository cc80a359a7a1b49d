"""Storing events in key buckets changes what filters look like, never what they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.buckets import Layout, bucket_of, fnv1a
from headgate.core.subjects import covers, invalid, matches

tokens = st.sampled_from(("a", "b", "c"))
published = st.tuples(tokens, st.lists(tokens, min_size=1, max_size=3)).map(
    lambda parts: ".".join(("shop", "orders", parts[0], *parts[1]))
)
filters = st.tuples(
    st.sampled_from(("a", "b", "*")),
    st.lists(st.sampled_from(("a", "b", "*")), max_size=2),
    st.sampled_from(("a", "b", "*", ">")),
).map(lambda parts: ".".join(("shop", "orders", parts[0], *parts[1], parts[2])))
layouts = st.integers(2, 1000).map(lambda n: Layout("shop.orders", n))


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)],
    ids=["of nothing", "of one byte", "of a word"],
)
def test_the_hash_is_fnv_1a_with_32_bits(text: bytes, value: int) -> None:
    """Published test vectors of the hash."""
    assert fnv1a(text) == value


def test_keys_spread_evenly_over_buckets() -> None:
    counts = [0] * 100
    for n in range(100_000):
        counts[bucket_of(f"cust{n}", 100)] += 1
    assert 900 < min(counts) <= max(counts) < 1100


@given(filters, published, layouts)
def test_a_filter_takes_an_event_as_stored_exactly_when_it_takes_it_as_published(
    pattern: str, subject: str, layout: Layout
) -> None:
    assert matches(layout.stored(pattern), layout.stored(subject)) == matches(pattern, subject)


@given(filters, layouts)
def test_stored_filters_are_legal_and_stay_under_the_stored_prefix(pattern: str, layout: Layout) -> None:
    stored = layout.stored(pattern)
    assert invalid(stored) is None
    assert covers(f"{layout.stored_prefix}.>", stored)


@given(filters, filters, layouts)
def test_storing_keeps_which_filter_covers_which(outer: str, inner: str, layout: Layout) -> None:
    assert covers(layout.stored(outer), layout.stored(inner)) == covers(outer, inner)


def test_a_filter_that_pins_the_key_reads_one_bucket() -> None:
    layout = Layout("orders", 100)
    assert layout.stored("orders.cust1.paid") == f"orders.b.{bucket_of('cust1', 100)}.cust1.paid"
    assert layout.stored("orders.*.paid") == "orders.b.*.*.paid"
    assert layout.stored("orders.*.>") == "orders.b.*.*.>"


@pytest.mark.parametrize(
    ("subjects", "prefix"),
    [
        pytest.param(["orders.*.>"], "orders", id="one word before the key"),
        pytest.param(["shop.orders.*.>"], "shop.orders", id="two words before the key"),
        pytest.param(["orders.*.*"], None, id="a fixed length"),
        pytest.param(["orders.>"], None, id="no key"),
        pytest.param(["*.>"], None, id="no word before the key"),
        pytest.param(["orders.*.paid"], None, id="a word after the key"),
        pytest.param(["orders.*.>", "bills.*.>"], None, id="two subjects"),
        pytest.param([], None, id="no subject"),
    ],
)
def test_only_a_single_subject_of_the_right_shape_has_a_layout(
    subjects: list[str], prefix: str | None
) -> None:
    layout = Layout.of(subjects, 100)
    assert layout == (None if prefix is None else Layout(prefix, 100))
    assert layout is None or [layout.published] == subjects
