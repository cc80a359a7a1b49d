"""The subject grammar agrees with a reference that enumerates every subject of a small world."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.subjects import (
    collisions,
    covers,
    inside,
    invalid,
    is_literal,
    literal_prefix,
    matches,
    overlaps,
)

# "z" never stands in a pattern: it plays all the tokens that nobody wrote down.
TOKENS = ("a", "b", "z")
LENGTH = 5
WORLD = [".".join(tokens) for n in range(1, LENGTH + 1) for tokens in product(TOKENS, repeat=n)]

subjects = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=LENGTH).map(".".join)
patterns = st.tuples(
    st.lists(st.sampled_from(("a", "b", "*")), max_size=3), st.sampled_from(("a", "b", "*", ">"))
).map(lambda parts: ".".join((*parts[0], parts[1])))


def reference(pattern: str, subject: str) -> bool:
    """Matching as the grammar is explained to people: token by token, the rest for a final >."""
    match pattern.split("."), subject.split("."):
        case [], []:
            return True
        case [">"], [_, *_]:
            return True
        case [p, *ps], [s, *ss] if p in ("*", s):
            return (not ps and not ss) or (bool(ps and ss) and reference(".".join(ps), ".".join(ss)))
        case _:
            return False


def taken(pattern: str) -> set[str]:
    return {subject for subject in WORLD if reference(pattern, subject)}


@given(patterns, subjects)
def test_matching_agrees_with_the_reference(pattern: str, subject: str) -> None:
    assert matches(pattern, subject) == reference(pattern, subject)


@given(patterns, patterns)
def test_patterns_overlap_exactly_when_some_subject_is_taken_by_both(one: str, other: str) -> None:
    assert overlaps(one, other) == bool(taken(one) & taken(other))
    assert overlaps(one, other) == overlaps(other, one)


@given(patterns, patterns)
def test_a_pattern_covers_another_exactly_when_it_takes_all_of_its_subjects(outer: str, inner: str) -> None:
    assert covers(outer, inner) == (taken(inner) <= taken(outer))


@given(st.lists(patterns, max_size=3), patterns)
def test_inside_means_that_one_subject_alone_covers_the_pattern(declared: list[str], pattern: str) -> None:
    assert inside(declared, pattern) == any(taken(pattern) <= taken(subject) for subject in declared)


@given(st.lists(patterns, max_size=4))
def test_collisions_are_the_overlapping_pairs(declared: list[str]) -> None:
    pairs = [(a, b) for i, b in enumerate(declared) for a in declared[:i] if taken(a) & taken(b)]
    assert list(collisions(declared)) == pairs


@given(patterns)
def test_every_subject_of_a_pattern_begins_with_its_literal_prefix(pattern: str) -> None:
    prefix = literal_prefix(pattern)
    assert all(tuple(subject.split("."))[: len(prefix)] == prefix for subject in taken(pattern))


@given(patterns)
def test_literal_patterns_take_only_themselves(pattern: str) -> None:
    assert is_literal(pattern) == (taken(pattern) == {pattern})


@given(st.text(alphabet=["a", "$", "é", ".", "*", ">", " ", "\t", "\x00", "\u200b"], max_size=7))
def test_validity_agrees_with_a_reading_token_by_token(text: str) -> None:
    tokens = text.split(".")
    legal = all(token in ("*", ">") or (token != "" and all(c in "a$é" for c in token)) for token in tokens)
    assert (invalid(text) is None) == (legal and ">" not in tokens[:-1])


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        pytest.param("", "is empty", id="nothing at all"),
        pytest.param("orders.new paid", "white space", id="a blank"),
        pytest.param("orders..paid", "empty token", id="two dots in a row"),
        pytest.param(".orders", "empty token", id="a leading dot"),
        pytest.param("orders.", "empty token", id="a trailing dot"),
        pytest.param("orders.>.paid", "before its end", id="the rest wildcard in the middle"),
        pytest.param("orders.new*", "inside the token new*", id="a star glued to a word"),
        pytest.param("orders.x>", "inside the token x>", id="a rest glued to a word"),
    ],
)
def test_an_illegal_pattern_is_refused_with_what_is_wrong(pattern: str, why: str) -> None:
    assert why in (invalid(pattern) or "")
