"""Partitions and their readers."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.sim.assignment import assign

crowds = st.lists(st.integers(0, 40), unique=True, max_size=30)
counts = st.integers(1, 60)


@given(crowds, counts)
def test_every_partition_has_one_reader_and_nobody_two_more_than_another(
    members: list[int], count: int
) -> None:
    owned = assign({}, members, count)
    assert sorted(p for some in owned.values() for p in some) == (list(range(count)) if members else [])
    sizes = [len(some) for some in owned.values()]
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(crowds, crowds, counts)
def test_no_more_move_than_have_to(before: list[int], after: list[int], count: int) -> None:
    first = assign({}, before, count)
    second = assign(first, after, count)
    kept = sum(len(set(first.get(member, ())) & set(some)) for member, some in second.items())
    least = count // len(after) if after else 0
    staying = [len(first[member]) for member in after if member in first]
    assert kept >= sum(min(size, least) for size in staying)


def test_the_same_members_keep_everything() -> None:
    owned = assign({}, [3, 5, 9], 8)
    assert assign(owned, [9, 3, 5], 8) == owned
