"""Dead letters counted from headers, with a memory that follows what happens in the middle."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.brokers.nats.tally import MOST, UNNAMED, Head, Tally

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DEAD = stream_key("dead")

events = st.lists(
    st.one_of(
        st.tuples(st.just("bury"), st.integers(1, 8)),
        st.tuples(st.just("resolve"), st.integers(1, 8)),
        st.tuples(st.just("take out"), st.integers(1, 20)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=30,
)


def broker() -> FakeBroker:
    """A broker with one empty dead-letter stream."""
    made = FakeBroker(lambda: NOW)
    made.put(Stream(DEAD, subjects=("hg.dead.>",)))
    return made


@given(events)
async def test_whatever_happens_the_count_is_that_of_a_fresh_look(story: list[tuple[str, int]]) -> None:
    """An incremental count and one from the start agree."""
    made = broker()
    for what, number in story:
        subject = f"hg.dead.orders.billing.1.{number}"
        match what:
            case "bury":
                headers = {"headgate-group": f"shop/{number % 3}", "headgate-reason": "MaxAttempts"}
                made.publish(subject, {**headers, "Nats-Rollup": "sub"})
            case "resolve":
                made.publish(subject, {"headgate-resolution": "Resolved", "Nats-Rollup": "sub"})
            case "take out":
                made.expire(DEAD, number)
            case _:
                await made.dead_letters([DEAD])
    remembered = (await made.dead_letters([DEAD]))[DEAD]
    fresh = FakeBroker(lambda: NOW)
    fresh.server.stores = made.server.stores
    assert remembered == (await fresh.dead_letters([DEAD]))[DEAD]


async def test_a_queue_made_anew_is_counted_anew() -> None:
    """Another object of the same name holds other letters."""
    made = broker()
    made.publish("hg.dead.a.b.1.1", {"headgate-group": "shop/a"})
    await made.dead_letters([DEAD])
    made.remove(DEAD)
    made.server.clock = lambda: NOW + timedelta(seconds=1)
    made.put(Stream(DEAD, subjects=("hg.dead.>",)))
    made.publish("hg.dead.a.b.1.2", {"headgate-group": "shop/b"})
    assert [each.group for each in (await made.dead_letters([DEAD]))[DEAD]] == ["shop/b"]


async def test_beyond_what_fits_into_memory_only_the_number_is_told() -> None:
    """No group is named, nothing is dropped in silence."""
    made = broker()
    made.publish("hg.dead.a.b.1.1", {"headgate-group": "shop/a"})
    store = made.server.stores["dead"]
    store.messages.update(dict.fromkeys(range(2, MOST + 2), store.messages[1]))
    (whole,) = (await made.dead_letters([DEAD]))[DEAD]
    assert (whole.group, whole.depth, whole.reasons) == ("", MOST + 1, ())


def test_letters_without_headers_are_counted_too() -> None:
    """As of nobody known, for no known reason."""
    tally = Tally("1")
    tally.add(Head.of(1, "hg.dead.x", {}, NOW))
    (found,) = tally.groups(NOW)
    assert (found.group, found.reasons) == (UNNAMED, ((UNNAMED, 1),))
