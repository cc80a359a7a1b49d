"""The index of patterns finds exactly those that overlap, whatever came and went before."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.subject_index import SubjectIndex
from headgate.core.subjects import overlaps

patterns = st.tuples(
    st.lists(st.sampled_from(("a", "b", "*")), max_size=3), st.sampled_from(("a", "b", "*", ">"))
).map(lambda parts: ".".join((*parts[0], parts[1])))


@given(st.lists(patterns, max_size=12), st.data())
def test_the_index_agrees_with_comparing_every_pair(declared: list[str], data: st.DataObject) -> None:
    index: SubjectIndex[int] = SubjectIndex()
    for holder, pattern in enumerate(declared):
        index.add(pattern, holder)
    gone = data.draw(st.sets(st.integers(0, len(declared) - 1)) if declared else st.just(set()), label="gone")
    for holder in gone:
        index.remove(declared[holder], holder)
    asked = data.draw(patterns, label="asked")
    left = {holder for holder in range(len(declared)) if holder not in gone}
    assert index.overlapping(asked) == {holder for holder in left if overlaps(declared[holder], asked)}


@given(st.lists(patterns, max_size=12))
def test_an_index_from_which_everything_was_removed_holds_nothing(declared: list[str]) -> None:
    index: SubjectIndex[int] = SubjectIndex()
    for holder, pattern in enumerate(declared):
        index.add(pattern, holder)
    for holder, pattern in enumerate(declared):
        index.remove(pattern, holder)
    assert index.overlapping(">") == set()
    assert not index._root.after


def test_what_is_added_twice_is_there_once_and_gone_with_one_removal() -> None:
    index: SubjectIndex[int] = SubjectIndex()
    index.add("a.b", 1)
    index.add("a.b", 1)
    index.remove("a.b", 1)
    assert index.overlapping("a.b") == set()
