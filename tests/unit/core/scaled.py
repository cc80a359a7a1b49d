"""What a decision about replicas is made of, for the tests of its branches."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.core.lag import Lag, Sight
from headgate.core.scale import decide
from headgate.core.scaling import Decision, Load, Observation, Reason, Rule, State

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
RULE = Rule(minimum=0, maximum=12, idle_after=timedelta(minutes=5))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def lag(pending: int = 0, arriving: float | None = 0.0, **more: Any) -> Lag:
    usual = more.pop("usual", arriving)
    found = Lag(Sight.FRESH, pending=pending, arriving=arriving, usual=usual)
    return replace(found, **more)


def load(found: Lag, name: str = "g", **more: Any) -> Load:
    made = Load(name, found, promise=MINUTE, drain_within=MINUTE, patience=MINUTE)
    return replace(made, **more)


def settled(current: int, rate: float | None = 50.0, **more: Any) -> State:
    """The state of a workload that has had so many replicas, in plain sight, for an hour."""
    rates = {} if rate is None else {"g": rate, "h": rate}
    made = State(rates, current, LONG_AGO, LONG_AGO, needs=())
    return replace(made, **more)


@dataclass(frozen=True)
class Case:
    current: int
    loads: tuple[Load, ...]
    desired: int
    reason: Reason
    state: State | None = None
    rule: Rule = RULE
    says: tuple[str, ...] = ()


WORKING: dict[str, Any] = {"unfinished_for": timedelta(0), "working_for": MINUTE}
CALM: dict[str, Any] = {"idle_for": timedelta(minutes=6)}
STUCK: dict[str, Any] = {"unfinished_for": timedelta(minutes=2), "pressed_for": timedelta(minutes=2)}
STALE = Lag(Sight.STALE, pending=900)
LOST = Lag(Sight.LOST, pending=900)


def unread(seconds: float, pending: int, arriving: float, **more: Any) -> Lag:
    """What was read so long ago; an age is what it would be now if nothing had been handed out since."""
    return lag(pending, arriving, sight=Sight.STALE, unread_for=timedelta(seconds=seconds), **WORKING, **more)


def run(case: Case) -> tuple[Decision, State]:
    state = settled(case.current) if case.state is None else case.state
    return decide(Observation(NOW, case.current, case.current, case.loads), state, case.rule)
