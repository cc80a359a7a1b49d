"""When a whole estate counts as gone, and what ends that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.planning import tank

from headgate.core.outcomes import Outcome
from headgate.core.resource import Key, Observed
from headgate.core.vanished import Vanished, Word, estate_vanished, is_strange


def recorded(count: int) -> dict[Key, str]:
    return {Key("tank", f"t{n}"): f"id-{n}" for n in range(count)}


def held(count: int, *, gone: int = 0, replaced: int = 0) -> dict[Key, Observed]:
    """All but the first `gone`; of the others the first `replaced` have another identity."""
    names = [f"t{n}" for n in range(gone, count)]
    return {
        Key("tank", name): Observed(tank(name), "new" if n < replaced else f"id-{name[1:]}")
        for n, name in enumerate(names)
    }


def judged(
    count: int,
    *,
    gone: int = 0,
    replaced: int = 0,
    cluster: str = "c1",
    known: str = "c1",
    asked: str = "",
    given: str = "",
    mourned: tuple[Key, ...] = (),
    well: int = 0,
) -> Vanished | None:
    """The last `well` objects were well when last looked at."""
    found = held(count, gone=gone, replaced=replaced)
    word = Word(asked, given, tuple(recorded(count - well)))
    return estate_vanished(
        recorded(count), found, known_cluster=known, cluster=cluster, word=word, mourned=mourned
    )


SINGLE = {
    "nothing is gone": judged(5),
    "nothing was ever recorded": judged(0),
    "three of three are gone": judged(3, gone=3),
    "three of a few are gone": judged(5, gone=3),
    "a tenth of many are gone": judged(100, gone=10),
    "many are gone that were reported before": judged(9, gone=9, mourned=tuple(recorded(6))),
    "the cluster is seen for the first time": judged(5, known=""),
}


@pytest.mark.parametrize("found", SINGLE.values(), ids=SINGLE.keys())
def test_it_is_no_vanished_estate_when(found: Vanished | None) -> None:
    assert found is None


WHOLE = {
    "four of a few are gone": (judged(5, gone=4), "ManyVanished"),
    "four of a few are replaced": (judged(5, replaced=4), "ManyVanished"),
    "gone and replaced together are many": (judged(5, gone=2, replaced=2), "ManyVanished"),
    "more than a tenth of many are gone": (judged(100, gone=11), "ManyVanished"),
    "another cluster answers": (judged(5, cluster="c2"), "AnotherCluster"),
    "another cluster answers and nothing was recorded": (judged(0, cluster="c2"), "AnotherCluster"),
}


@pytest.mark.parametrize(("found", "reason"), WHOLE.values(), ids=WHOLE.keys())
def test_it_is_a_vanished_estate_when(found: Vanished | None, reason: str) -> None:
    assert found is not None
    assert (found.reason, found.acknowledged) == (reason, False)
    assert found.token in found.message
    assert found.finding.outcome is Outcome.LOST


def token(found: Vanished | None) -> str:
    assert found is not None
    return found.token


def test_the_word_that_status_asks_for_ends_it() -> None:
    asked = token(judged(5, gone=4))
    found = judged(5, gone=4, asked=asked, given=asked)
    assert found is not None
    assert found.acknowledged
    assert found.gone == frozenset(list(recorded(5))[:4])


def test_the_word_ends_it_also_when_status_forgot_that_it_asked() -> None:
    found = judged(5, gone=4, given=token(judged(5, gone=4)))
    assert found is not None
    assert found.acknowledged


def test_any_other_word_does_not_end_it() -> None:
    found = judged(5, gone=4, asked=token(judged(5, gone=4)), given="yes")
    assert found is not None
    assert not found.acknowledged


def test_the_word_asked_for_stays_while_more_goes() -> None:
    asked = token(judged(9, gone=4))
    assert token(judged(9, gone=5, asked=asked)) == asked


def test_an_old_word_does_not_end_the_next_loss() -> None:
    old = token(judged(5, gone=4))
    assert token(judged(6, gone=5, given=old)) != old


def test_an_acknowledged_loss_is_made_good_to_the_last_object() -> None:
    asked = token(judged(5, gone=4))
    half_way = judged(5, gone=1, asked=asked, given=asked)
    assert half_way is not None
    assert half_way.acknowledged
    assert half_way.gone == frozenset({Key("tank", "t0")})
    assert judged(5, asked=asked, given=asked) is None


def test_the_word_on_a_loss_that_was_made_good_does_not_end_the_next_one() -> None:
    """The annotation stands there for ever, and the question may stand in status for a moment longer."""
    asked = token(judged(8, gone=8))
    second = judged(8, gone=8, asked=asked, given=asked, well=8)
    assert second is not None
    assert (second.acknowledged, second.token != asked) == (False, True)
    assert token(judged(8, gone=8, asked=second.token, given=asked, well=0)) == second.token


def test_a_second_loss_in_the_middle_of_making_good_the_first_is_asked_about_whole() -> None:
    asked = token(judged(9, gone=9))
    second = judged(9, gone=9, asked=asked, given=asked, well=5)
    assert second is not None
    assert (second.acknowledged, len(second.gone)) == (False, 9)


def test_single_losses_beside_one_that_is_made_good_are_told_one_by_one() -> None:
    asked = token(judged(9, gone=9))
    rest = judged(9, gone=9, asked=asked, given=asked, well=3)
    assert rest is not None
    assert (rest.acknowledged, rest.gone) == (True, frozenset(list(recorded(9))[:6]))
    assert judged(9, gone=3, asked=asked, given=asked, well=9) is None


def test_an_estate_that_comes_back_by_itself_needs_no_word() -> None:
    asked = token(judged(5, gone=4))
    assert judged(5, asked=asked) is None
    assert judged(5, gone=2, asked=asked) is None


def test_another_cluster_is_acknowledged_by_a_word_of_its_own() -> None:
    second = token(judged(5, cluster="c2"))
    assert token(judged(5, cluster="c3")) != second
    found = judged(5, cluster="c2", asked=second, given=second)
    assert found is not None
    assert found.acknowledged


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_limit_is_three_or_a_tenth(count: int, gone: int) -> None:
    gone = min(count, gone)
    assert (judged(count, gone=gone) is not None) is (gone > max(3, count // 10))


def test_the_word_on_an_empty_cluster_holds_when_that_is_given_its_identity() -> None:
    empty = judged(5, gone=5, cluster="")
    assert empty is not None
    named = judged(5, gone=5, cluster="c2", asked=empty.token, given=empty.token)
    assert named is not None
    assert named.acknowledged


def test_an_old_word_does_not_open_the_next_cluster() -> None:
    empty = judged(5, gone=5, cluster="")
    assert empty is not None
    later = judged(5, gone=5, known="c2", cluster="", asked=empty.token, given=empty.token)
    assert later is not None
    assert not later.acknowledged
    assert is_strange("c2", "", empty.token)
    assert not is_strange("c2", "", later.token)
    assert not is_strange("c2", "c2", "")
    assert not is_strange("", "c2", "")
