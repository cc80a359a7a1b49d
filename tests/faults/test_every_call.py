"""Operator and mover are killed around every call they make, and every write is harmed: nothing is lost, all ends well."""

import sys
from collections.abc import Sequence
from time import monotonic

import pytest
from tests.faults.journal import MOVER, OPERATOR, Kind
from tests.faults.life import CREATED, DELETED, FAILED, UPDATED
from tests.faults.plans import PLAIN, POISONED, Arena, Verdict

KILLS = (Kind.KILL_BEFORE, Kind.KILL_AFTER)
HARMS = (Kind.CUT_AFTER, Kind.CONFLICT, Kind.THROTTLED, Kind.UNAVAILABLE, Kind.TWICE)


def judged(verdicts: Sequence[Verdict], began: float) -> None:
    """Every plan ended well, and every call that every life takes was struck."""
    struck = [verdict for verdict in verdicts if verdict.struck]
    slowest = max((verdict.seconds for verdict in struck), default=0.0)
    took = monotonic() - began
    sys.stdout.write(
        f"{len(struck)} of {len(verdicts)} struck in {took:.0f} s, well again within {slowest:.1f} s\n"
    )
    wrong = [str(verdict) for verdict in verdicts if verdict.complaints]
    assert not wrong, f"{len(wrong)} of {len(verdicts)} went wrong:\n" + "\n".join(wrong)
    missed = [str(v.fault) for v in verdicts if v.sure and not v.struck]
    assert not missed, "never came:\n" + "\n".join(missed)
    assert struck


@pytest.mark.parametrize("kind", [*KILLS, *HARMS])
async def test_a_write_to_kubernetes_goes_wrong(arena: Arena, kind: Kind) -> None:
    began = monotonic()
    faults = arena.faults([kind], "kube", PLAIN, CREATED, UPDATED, DELETED)
    judged(await arena.run(faults, PLAIN), began)


@pytest.mark.parametrize("step", [CREATED, UPDATED, DELETED])
@pytest.mark.parametrize("kind", KILLS)
async def test_the_operator_is_killed_around_a_broker_call(arena: Arena, kind: Kind, step: str) -> None:
    began = monotonic()
    faults = arena.faults([kind], "broker", PLAIN, step)
    judged(await arena.run(faults, PLAIN), began)


@pytest.mark.parametrize("kind", [*KILLS, *HARMS])
async def test_a_report_of_a_dead_letter_goes_wrong(arena: Arena, kind: Kind) -> None:
    began = monotonic()
    judged(await arena.run(arena.faults([kind], "kube", POISONED, FAILED), POISONED), began)


@pytest.mark.parametrize("actor", [OPERATOR, MOVER])
@pytest.mark.parametrize("kind", KILLS)
async def test_one_of_both_is_killed_around_a_broker_call_of_a_dead_letter(
    arena: Arena, kind: Kind, actor: str
) -> None:
    began = monotonic()
    faults = arena.faults([kind], "broker", POISONED, FAILED)
    judged(await arena.run([f for f in faults if f.point.actor == actor], POISONED), began)
