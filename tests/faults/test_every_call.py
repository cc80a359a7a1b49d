"""Every call of a life goes wrong in every way, one after the other: nothing is lost, all ends well, and then is quiet."""

import sys
from collections.abc import Iterator
from statistics import quantiles

import pytest
from tests.faults.arena import Case
from tests.faults.conftest import Book
from tests.faults.journal import BROKER, KUBE, MOVER, OPERATOR, WATCH, Kind
from tests.faults.life import CREATED, DELETED, FAILED, UPDATED

KILLS = (Kind.KILL_BEFORE, Kind.KILL_AFTER)
HARMS = (Kind.CUT_AFTER, Kind.CONFLICT, Kind.THROTTLED, Kind.UNAVAILABLE, Kind.TWICE)
CUTS = (Kind.CUT_WITHIN, Kind.ENDED_WITHIN, Kind.TWICE)
STEPS = (CREATED, UPDATED, DELETED)


def cases() -> Iterator[Case]:
    """Every kind of fault wherever it can strike."""
    for step in STEPS:
        yield from (Case(kind, step, KUBE) for kind in (*KILLS, *HARMS, Kind.PAUSED, Kind.EDITED))
        yield from (Case(kind, step, BROKER) for kind in (*KILLS, Kind.PAUSED, Kind.EDITED))
        yield from (Case(kind, step, WATCH) for kind in CUTS)
        yield Case(Kind.SILENT, step, WATCH)
    for step in (CREATED, UPDATED):
        yield from (Case(Kind.WITHDRAWN, step, wire) for wire in (KUBE, BROKER))
    yield from (Case(kind, FAILED, KUBE) for kind in (*KILLS, *HARMS))
    yield from (Case(kind, FAILED, BROKER, actor) for kind in KILLS for actor in (OPERATOR, MOVER))


@pytest.mark.parametrize("case", list(cases()), ids=str)
async def test_all_is_well_again(case: Case, book: Book) -> None:
    verdicts = book[case]
    struck = [verdict for verdict in verdicts if verdict.struck]
    times = sorted(verdict.seconds for verdict in struck)
    usual = quantiles(times, n=2)[0] if len(times) > 1 else sum(times)
    sys.stdout.write(
        f"{len(struck)} of {len(verdicts)} struck, well again after {usual:.1f} s, at most {max(times, default=0):.1f} s\n"
    )
    wrong = [str(verdict) for verdict in verdicts if verdict.complaints]
    assert not wrong, f"{len(wrong)} of {len(verdicts)} went wrong:\n" + "\n".join(wrong)
    missed = [str(v.fault) for v in verdicts if v.sure and not v.struck]
    assert not missed, "never came:\n" + "\n".join(missed)
    assert struck
