"""What is decided while what is known grows old: reckoned on for a minute, for more replicas and never for fewer."""

from dataclasses import replace

import pytest
from tests.unit.core.scaled import SECOND, STALE, WORKING, Case, lag, load, run, settled, unread

from headgate.core.lag import Sight
from headgate.core.scaling import Reason, State

CASES = {
    "what a group is known to have that cannot be seen any more counts beside that": Case(
        3, (load(lag(9000, 100.0, **WORKING)), load(STALE, "h")), 6, Reason.WOULD_MISS_FRESHNESS
    ),
    "more arrived than was handled when it was last read, and goes on": Case(
        2,
        (load(unread(54, 0, 200.0)),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
        says=(
            "200/s arrive, 2 x 50/s handled, 5400 wait; read 54s ago and reckoned on since",
            "5 replicas keep up",
        ),
    ),
    "nobody knows when there is an occasion after the last one before figures are lost": Case(
        9,
        (load(unread(56, 0, 520.0)),),
        11,
        Reason.WOULD_MISS_FRESHNESS,
        says=("the oldest event would be 51s old before more replicas could help",),
    ),
    "there is another occasion before figures are lost": Case(
        9, (load(unread(50, 0, 520.0)),), 9, Reason.METRICS_STALE
    ),
    "what falls behind hardly at all can bear a few minutes": Case(
        10, (load(unread(56, 0, 520.0)),), 10, Reason.METRICS_STALE
    ),
    "what grew when it was last read goes on growing": Case(
        2, (load(unread(50, 0, 100.0, growing=4.0)),), 11, Reason.WOULD_MISS_FRESHNESS
    ),
    "what was falling behind has not had the time yet to be late": Case(
        2, (load(unread(16, 0, 140.0)),), 2, Reason.METRICS_STALE
    ),
    "what was catching up when it was last read needs nobody": Case(
        4, (load(unread(40, 3000, 100.0, age=50 * SECOND)),), 4, Reason.METRICS_STALE
    ),
    "what a replica handles has to be known": Case(
        2, (load(unread(40, 900, 200.0)),), 2, Reason.METRICS_STALE, settled(2, None)
    ),
    "nothing is reckoned on from lost figures": Case(
        2, (load(replace(unread(90, 0, 200.0), sight=Sight.LOST)),), 2, Reason.METRICS_LOST
    ),
    "nobody is woken up by what nobody can see": Case(
        0, (load(unread(40, 0, 200.0)),), 0, Reason.METRICS_STALE
    ),
    "stale figures at the maximum are stale figures": Case(
        12, (load(unread(40, 90_000, 900.0)),), 12, Reason.METRICS_STALE, says=("12 replicas stay",)
    ),
    "events that waited for a retry when they were last read bring nobody": Case(
        3,
        (load(unread(40, 9000, 300.0, in_flight=180), per_replica=20, total=200),),
        3,
        Reason.METRICS_STALE,
    ),
    "two groups that cannot be seen share the replicas": Case(
        4, (load(unread(56, 0, 150.0)), load(unread(56, 0, 150.0), "h")), 7, Reason.WOULD_MISS_FRESHNESS
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decision(case: Case) -> None:
    decision, _ = run(case)
    assert (decision.desired, decision.reason) == (case.desired, case.reason), decision
    assert all(words in decision.message for words in case.says), decision.message


def test_who_began_to_get_events_has_a_part_in_the_replicas_like_anybody() -> None:
    """Were the part what used to arrive, nothing of what came since would count as handled."""
    seen = load(lag(0, 1.0, growing=0.0, **WORKING), "h", promise=None, drain_within=SECOND, capacity=1.0)
    desired = []
    for arriving in (0.0, 1.0):
        grows = unread(1, 0, arriving, growing=1.0)
        unseen = load(grows, promise=None, drain_within=SECOND, capacity=2.0)
        desired.append(run(Case(2, (unseen, seen), 0, Reason.STEADY, State()))[0].desired)
    assert desired == [2, 2]
