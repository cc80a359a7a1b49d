"""The time of an event, found by asking at which offset a moment begins."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.kafka.ages import CLOSE, SHARE, Point, Search, begun, narrowed

NOW = 1_800_000_000_000


def answer(log: list[int], moment: int) -> Point | None:
    """What Kafka says: the first event of that moment or later."""
    return next((Point(offset, at) for offset, at in enumerate(log) if at >= moment), None)


def searched(log: list[int], offset: int, rounds: int = 64) -> tuple[Search, int]:
    """The search, and after how many answers it ended."""
    search = begun(offset, NOW, log[0])
    for asked in range(rounds):
        if search.done:
            return search, asked
        search = narrowed(search, search.moment, answer(log, search.moment))
    return search, rounds


ages = st.integers(1, 30 * 86_400_000) | st.integers(1, 60_000)
logs = st.lists(ages, min_size=1, max_size=60).map(lambda found: [NOW - age for age in sorted(found)[::-1]])


@given(logs, st.data())
def test_the_answer_is_never_too_fresh_and_hardly_too_old(log: list[int], data: st.DataObject) -> None:
    """Exact, or a little too old: by a quarter of a second, or by a sixteenth of the age."""
    offset = data.draw(st.integers(0, len(log) - 1))
    search, _ = searched(log, offset)
    assert search.done
    assert 0 <= log[offset] - search.answer <= max(CLOSE, (NOW - search.answer) // SHARE)


@given(logs, st.data())
def test_few_answers_are_enough(log: list[int], data: st.DataObject) -> None:
    """However old the oldest event is."""
    _, asked = searched(log, data.draw(st.integers(0, len(log) - 1)))
    assert asked <= 12


@given(logs, st.data(), st.integers(0, 10))
def test_the_bounds_hold_whenever_the_search_is_given_up(
    log: list[int], data: st.DataObject, rounds: int
) -> None:
    """So an answer can be used at any time."""
    offset = data.draw(st.integers(0, len(log) - 1))
    search, _ = searched(log, offset, rounds)
    assert search.low <= log[offset] <= search.high


def test_nothing_is_asked_once_the_event_itself_was_seen() -> None:
    """More answers change nothing."""
    found = narrowed(begun(3, NOW, NOW - 60_000), NOW - 30_000, Point(3, NOW - 29_000))
    assert found.done
    assert found.answer == NOW - 29_000
    assert narrowed(found, NOW - 10, None) == found
