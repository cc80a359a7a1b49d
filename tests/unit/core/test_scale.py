"""What is decided about the replicas of a workload, branch by branch."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.core.scaled import (
    CALM,
    LONG_AGO,
    LOST,
    MINUTE,
    NOW,
    RULE,
    SECOND,
    STALE,
    STUCK,
    WORKING,
    Case,
    ago,
    lag,
    load,
    run,
    settled,
)

from headgate.core.scale import decide
from headgate.core.scaling import Observation, Reason, State

CASES = {
    "nothing to do and no replicas": Case(0, (load(lag(**CALM)),), 0, Reason.IDLE),
    "from zero in one step, by the learned rate": Case(
        0, (load(lag(600, 200.0)),), 5, Reason.WORK_WAITING, says=("600 events wait", "5 replicas")
    ),
    "from zero to one while the rate is unknown": Case(
        0, (load(lag(600, 200.0)),), 1, Reason.WORK_WAITING, settled(0, None), says=("1 replica ",)
    ),
    "from zero to one for what is only in flight": Case(0, (load(lag(in_flight=2)),), 1, Reason.WORK_WAITING),
    "from zero to the minimum at least": Case(
        0, (load(lag(1)),), 3, Reason.WORK_WAITING, rule=replace(RULE, minimum=3)
    ),
    "from zero to the maximum at most": Case(0, (load(lag(99_999)),), 12, Reason.WORK_WAITING),
    "from zero in one step for what goes on coming as it came since the oldest of it": Case(
        0, (load(lag(900, 40.0, age=5 * SECOND)),), 2, Reason.WORK_WAITING
    ),
    "from zero before there is a rate of arrival": Case(0, (load(lag(600, None)),), 1, Reason.WORK_WAITING),
    "more arrives than is handled, and the promise is at stake": Case(
        2,
        (load(lag(9000, 200.0, **WORKING)),),
        6,
        Reason.WOULD_MISS_FRESHNESS,
        says=("200/s arrive", "2 x 50/s handled", "9000 wait", "newest event would wait 90s", "6 replicas"),
    ),
    "the oldest event is too old already": Case(
        2, (load(lag(60, 140.0, age=2 * MINUTE, **WORKING)),), 7, Reason.WOULD_MISS_FRESHNESS
    ),
    "the oldest event would be too old by the time that more replicas help": Case(
        2,
        (load(lag(3000, 140.0, age=35 * SECOND, **WORKING)),),
        3,
        Reason.WOULD_MISS_FRESHNESS,
        says=("the oldest event would be 43s old before more replicas could help",),
    ),
    "more arrives than is handled, and there is time to see whether it stays so": Case(
        2, (load(lag(600, 140.0, age=5 * SECOND, **WORKING)),), 2, Reason.STEADY
    ),
    "the promise holds, but the backlog would stay longer than was said": Case(
        2,
        (load(lag(600, 140.0, age=5 * SECOND, **WORKING), drain_within=10 * SECOND),),
        9,
        Reason.WOULD_DRAIN_TOO_SLOWLY,
    ),
    "what goes on growing is met before it is there": Case(
        2, (load(lag(9000, 200.0, growing=2.0, **WORKING)),), 7, Reason.WOULD_MISS_FRESHNESS
    ),
    "what has clearly changed counts as it is now": Case(
        2, (load(lag(3000, 300.0, level=100.0, age=22 * SECOND, **WORKING)),), 7, Reason.WOULD_MISS_FRESHNESS
    ),
    "what may be chance counts as it was for a while": Case(
        2, (load(lag(3000, 149.0, level=140.0, age=35 * SECOND, **WORKING)),), 3, Reason.WOULD_MISS_FRESHNESS
    ),
    "without a promise nothing can be missed": Case(
        2, (load(lag(9000, 200.0, **WORKING), promise=None),), 6, Reason.WOULD_DRAIN_TOO_SLOWLY
    ),
    "a declared capacity stands for a learned rate": Case(
        1,
        (load(lag(60, 99.0, age=16 * SECOND, **WORKING), capacity=10.0),),
        11,
        Reason.WOULD_MISS_FRESHNESS,
        settled(1, None),
    ),
    "as many as the maximum allows": Case(
        10, (load(lag(90_000, 500.0, **WORKING)),), 12, Reason.WOULD_MISS_FRESHNESS, says=("12 replicas",)
    ),
    "at the maximum": Case(
        12,
        (load(lag(90_000, 500.0, **WORKING)),),
        12,
        Reason.AT_MAXIMUM,
        says=("69 replicas", "maxReplicas is 12"),
    ),
    "no more than could be busy at the same time": Case(
        3,
        (load(lag(90_000, 500.0, **WORKING), per_replica=20, total=100),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "as many as can be busy at the same time": Case(
        5,
        (load(lag(90_000, 500.0, **WORKING), per_replica=20, total=100),),
        5,
        Reason.CONCURRENCY_LIMIT,
        says=("5 replicas already have all",),
    ),
    "a limit of one group does not limit another one": Case(
        5,
        (load(lag(90_000, 500.0, **WORKING), per_replica=20, total=100), load(lag(), "h")),
        12,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "enough": Case(4, (load(lag(10, 190.0, **WORKING)),), 4, Reason.STEADY, says=("4 replicas are enough",)),
    "enough, though nothing waits and more arrives than is known to be handled": Case(
        1, (load(lag(0, 300.0, **WORKING)),), 1, Reason.STEADY
    ),
    "the needs of several groups add up": Case(
        2,
        (load(lag(9000, 100.0, **WORKING)), load(lag(9000, 50.0, **WORKING), "h")),
        12,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "fewer were enough for a while": Case(
        8,
        (load(lag(0, 100.0, **WORKING)),),
        3,
        Reason.LESS_NEEDED,
        says=("100/s arrive", "3 replicas have been enough for 192s"),
    ),
    "fewer are enough, but more were needed a minute ago": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 6, Reason.LESS_NEEDED, settled(8, needs=((ago(60), 6),))
    ),
    "what was needed long ago does not count": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 3, Reason.LESS_NEEDED, settled(8, needs=((ago(961), 6),))
    ),
    "what will have been needed does not count": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 3, Reason.LESS_NEEDED, settled(8, needs=((ago(-50), 6),))
    ),
    "what usually arrives counts for going down": Case(
        8, (load(lag(0, 10.0, usual=200.0, **WORKING)),), 5, Reason.LESS_NEEDED
    ),
    "not fewer before having watched for long enough": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 8, Reason.STEADY, settled(8, watched_since=ago(100))
    ),
    "not fewer right after a change": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 8, Reason.STEADY, settled(8, steady_since=ago(30))
    ),
    "not fewer by a clock that stepped back": Case(
        8, (load(lag(0, 100.0, **WORKING)),), 8, Reason.STEADY, settled(8, watched_since=ago(-9999))
    ),
    "not fewer before there is a rate of arrival": Case(
        8, (load(lag(0, None, **WORKING)),), 8, Reason.STEADY
    ),
    "not fewer than the minimum": Case(
        8, (load(lag(0, **CALM)),), 2, Reason.LESS_NEEDED, rule=replace(RULE, minimum=2)
    ),
    "to zero after having been idle for long enough": Case(
        3, (load(lag(0, **CALM)),), 0, Reason.IDLE_LONG_ENOUGH, settled(3, None), says=("for 5m",)
    ),
    "to one long before it has been idle for long enough": Case(
        3, (load(lag(0, idle_for=timedelta(minutes=3))),), 1, Reason.LESS_NEEDED
    ),
    "to fewer while something comes now and then, however soon it would go to zero without": Case(
        3,
        (load(lag(0, 10.0, idle_for=timedelta(0), **WORKING)),),
        1,
        Reason.LESS_NEEDED,
        rule=replace(RULE, idle_after=15 * SECOND),
    ),
    "to fewer while something is in flight": Case(
        3,
        (load(lag(0, 10.0, in_flight=2, **WORKING)),),
        1,
        Reason.LESS_NEEDED,
        rule=replace(RULE, idle_after=15 * SECOND),
    ),
    "not to one shortly before it goes to zero": Case(
        3, (load(lag(0, idle_for=timedelta(minutes=4))),), 3, Reason.STEADY
    ),
    "not to zero with something in flight": Case(1, (load(lag(0, in_flight=1)),), 1, Reason.STEADY),
    "not to zero while one group of two has work": Case(
        1, (load(lag(0, **CALM)), load(lag(0, in_flight=1), "h")), 1, Reason.STEADY
    ),
    "not to zero without knowing since when": Case(1, (load(lag(0)),), 1, Reason.STEADY),
    "one less shows more when the rate is unknown and nothing waits": Case(
        5, (load(lag(0, 10.0, **WORKING)),), 4, Reason.PROBING, settled(5, None, calm_since=LONG_AGO)
    ),
    "no probing below one": Case(
        1, (load(lag(0, 10.0, **WORKING)),), 1, Reason.STEADY, settled(1, None, calm_since=LONG_AGO)
    ),
    "no probing before it was calm for long enough": Case(
        5, (load(lag(0, 10.0, **WORKING)),), 5, Reason.STEADY, settled(5, None, calm_since=ago(60))
    ),
    "the rate is being learned": Case(
        1,
        (load(lag(900, 100.0, **WORKING)),),
        1,
        Reason.RATE_UNKNOWN,
        settled(1, None),
        says=("900 events wait",),
    ),
    "workers that finish nothing are not helped by more": Case(
        3, (load(lag(9000, 100.0, **STUCK)),), 3, Reason.WORKERS_STALLED, says=("9000 events wait",)
    ),
    "workers that never finished anything are not helped by more": Case(
        3, (load(lag(9000, 100.0, pressed_for=2 * MINUTE)),), 3, Reason.WORKERS_STALLED
    ),
    "workers that just began may still get going": Case(
        3,
        (load(lag(9000, 100.0, **STUCK)),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
        settled(3, steady_since=ago(30)),
    ),
    "work that just came may still be finished": Case(
        3,
        (load(lag(9000, 100.0, unfinished_for=timedelta(hours=1), pressed_for=timedelta(seconds=5))),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "handlers that take long are not stalled": Case(
        3,
        (load(lag(9000, 100.0, **STUCK), patience=timedelta(minutes=10)),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "a stalled group does not keep another one from its replicas": Case(
        3,
        (load(lag(9000, 0.0, **STUCK)), load(lag(9000, 100.0, **WORKING), "h")),
        5,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "events that wait for a retry are not helped by more": Case(
        3,
        (load(lag(9000, 100.0, in_flight=180, **WORKING), per_replica=20, total=200),),
        3,
        Reason.RETRY_SATURATED,
        says=("180 of at most 200",),
    ),
    "a few events that wait for a retry do no harm": Case(
        3,
        (load(lag(9000, 100.0, in_flight=150, **WORKING), per_replica=20, total=200),),
        5,
        Reason.WOULD_MISS_FRESHNESS,
    ),
    "stale figures hold": Case(3, (load(STALE),), 3, Reason.METRICS_STALE, says=("3 replicas stay",)),
    "lost figures hold": Case(3, (load(LOST),), 3, Reason.METRICS_LOST),
    "lost figures hold at zero": Case(0, (load(LOST),), 0, Reason.METRICS_LOST),
    "no groups at all hold": Case(3, (), 3, Reason.METRICS_LOST),
    "lost figures do not lift to the floor at once": Case(
        1,
        (load(LOST),),
        1,
        Reason.METRICS_LOST,
        settled(1, blind_since=ago(60)),
        replace(RULE, floor=2),
    ),
    "lost figures lift to the floor after a while": Case(
        0,
        (load(LOST),),
        2,
        Reason.METRICS_LOST_FLOOR,
        settled(0, blind_since=ago(120)),
        replace(RULE, floor=2),
        ("for 2m", "2 replicas"),
    ),
    "stale figures never lift to the floor": Case(
        1, (load(STALE),), 1, Reason.METRICS_STALE, settled(1, blind_since=LONG_AGO), replace(RULE, floor=2)
    ),
    "the floor takes nothing away": Case(
        5,
        (load(LOST),),
        5,
        Reason.METRICS_LOST_FLOOR,
        settled(5, blind_since=LONG_AGO),
        replace(RULE, floor=2),
    ),
    "one group that cannot be seen holds all": Case(
        3, (load(lag(0, **CALM)), load(STALE, "h")), 3, Reason.METRICS_STALE
    ),
    "a group that can be seen gets more while another one cannot": Case(
        3, (load(lag(9000, 100.0, **WORKING)), load(LOST, "h")), 5, Reason.WOULD_MISS_FRESHNESS
    ),
    "fewer than the minimum": Case(
        1,
        (load(lag(0, 10.0, **WORKING)),),
        3,
        Reason.BELOW_MINIMUM,
        rule=replace(RULE, minimum=3),
        says=("1 replica ", "minimum of 3"),
    ),
    "more than the maximum, even with lost figures": Case(
        20, (load(LOST),), 12, Reason.ABOVE_MAXIMUM, says=("20 replicas", "maxReplicas, 12")
    ),
    "less is needed than the maximum that is exceeded": Case(
        20, (load(lag(0, 100.0, **WORKING)),), 3, Reason.LESS_NEEDED
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decision(case: Case) -> None:
    decision, state = run(case)
    assert (decision.desired, decision.reason) == (case.desired, case.reason), decision
    assert all(words in decision.message for words in case.says), decision.message
    assert state.decision is decision


def test_every_reason_is_shown_by_a_case() -> None:
    elsewhere = {Reason.PARTITION_HOT, Reason.PARTITION_STALLED, Reason.SCALE_UP_INEFFECTIVE}
    assert {case.reason for case in CASES.values()} == set(Reason) - elsewhere  # see test_scale_partitions


def test_a_sentence_is_as_old_as_its_reason() -> None:
    first, state = run(CASES["at the maximum"])
    again, _ = decide(Observation(NOW, 12, 12, (load(lag(95_000, 510.0, **WORKING)),)), state, RULE)
    assert again is first


def test_a_number_that_stays_keeps_the_reason_for_which_it_was_chosen() -> None:
    up, state = run(CASES["more arrives than is handled, and the promise is at stake"])
    calm = Observation(NOW, 6, 6, (load(lag(5, 290.0, **WORKING)),))
    assert decide(calm, state, RULE)[0] is up


def test_a_reason_that_is_over_gives_way_to_steady() -> None:
    _, state = run(CASES["at the maximum"])
    calm = Observation(NOW, 12, 12, (load(lag(5, 599.0, **WORKING)),))
    assert decide(calm, state, RULE)[0].reason is Reason.STEADY


def test_the_first_look_after_a_start_never_goes_down() -> None:
    found = Observation(NOW, 8, 8, (load(lag(0, 10.0, **WORKING)),))
    decision, state = decide(found, State({"g": 50.0}), RULE)
    assert (decision.desired, state.watched_since) == (8, NOW)


def test_after_a_blindness_watching_begins_anew() -> None:
    _, state = run(CASES["stale figures hold"])
    assert (state.watched_since, state.needs, state.blind_since) == (None, (), NOW)
    _, state = decide(Observation(NOW, 3, 3, (load(lag(0, 10.0)),)), state, RULE)
    assert (state.watched_since, state.blind_since) == (NOW, None)
