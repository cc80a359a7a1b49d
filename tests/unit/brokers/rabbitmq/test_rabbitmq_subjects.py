"""Subjects in the grammar of a topic exchange take what they take in ours."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.rabbitmq.names import binding_key, unbindable
from headgate.core.subjects import matches

WORDS = st.sampled_from(["orders", "paid", "eu", "7"])
SUBJECTS = st.lists(WORDS, min_size=1, max_size=6).map(".".join)
HEADS = st.lists(st.one_of(WORDS, st.just("*")), min_size=1, max_size=5)
PATTERNS = st.builds(
    lambda head, rest: ".".join([*head, *rest]), HEADS, st.sampled_from([(), (">",)])
) | st.just(">")


def takes(pattern: str, key: str) -> bool:
    """The reference: * stands for one word, # for any number of words, none among them."""
    wide, narrow = tuple(pattern.split(".")), tuple(key.split("."))

    @cache
    def fits(i: int, j: int) -> bool:
        if i == len(wide):
            return j == len(narrow)
        if wide[i] == "#":
            return fits(i + 1, j) or (j < len(narrow) and fits(i, j + 1))
        return j < len(narrow) and wide[i] in ("*", narrow[j]) and fits(i + 1, j + 1)

    return fits(0, 0)


@given(PATTERNS, SUBJECTS)
def test_a_binding_takes_exactly_the_events_of_the_filter(pattern: str, subject: str) -> None:
    assert takes(binding_key(pattern), subject) is matches(pattern, subject)


KEYS = {
    "a word stays a word": ("orders", "orders"),
    "one word stays one word": ("orders.*.paid", "orders.*.paid"),
    "the rest is one word and any more": ("orders.>", "orders.*.#"),
    "one word and the rest are two and any more": ("orders.*.>", "orders.*.*.#"),
    "everything is one word and any more": (">", "*.#"),
}


@pytest.mark.parametrize(("subject", "key"), KEYS.values(), ids=KEYS)
def test_in_the_words_of_an_exchange(subject: str, key: str) -> None:
    assert binding_key(subject) == key


REFUSED = {
    "a hash that would stand for any words": ("orders.#.paid", "any words"),
    "more bytes than a routing key has, once translated": ("a" * 252 + ".>", "255 bytes"),
    "more bytes than a routing key has, though fewer letters": ("ö" * 128, "255 bytes"),
}


@pytest.mark.parametrize(("subject", "why"), REFUSED.values(), ids=REFUSED)
def test_a_subject_is_refused_that_has(subject: str, why: str) -> None:
    assert why in unbindable(subject)


def test_a_hash_inside_a_word_means_itself() -> None:
    assert not unbindable("orders.no#7.paid")
