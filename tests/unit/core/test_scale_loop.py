"""The decision in a closed loop with one queue and its replicas: what it does over time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from headgate.core.lag import History, figures, seen, unmoved
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.scale import decide
from headgate.core.scaling import Load, Observation, Rule, State

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
TICK = 5


@dataclass
class Model:
    """One queue in steps of one second: events arrive, replicas that are up for long enough finish them."""

    arrivals: Callable[[int], float]
    per_replica: float
    pod_start: int = 3
    replicas: int = 0
    started: list[int] = field(default_factory=list)  # when each replica was asked for
    now: int = 0
    arrived: float = 0.0
    done: float = 0.0
    waiting_since: list[tuple[int, float]] = field(default_factory=list)  # (second, arrived so far)

    def step(self) -> None:
        self.arrived += self.arrivals(self.now)
        self.waiting_since.append((self.now, self.arrived))
        up = sum(1 for asked in self.started if self.now - asked >= self.pod_start)
        self.done = min(self.arrived, self.done + up * self.per_replica)
        while self.waiting_since and self.waiting_since[0][1] <= self.done:
            self.waiting_since.pop(0)
        self.now += 1

    def scale(self, replicas: int) -> None:
        self.replicas = replicas
        self.started = [*self.started, *[self.now] * (replicas - len(self.started))][:replicas]

    @property
    def backlog(self) -> int:
        return int(self.arrived) - int(self.done)

    def age(self) -> int:
        return self.now - self.waiting_since[0][0] if self.backlog and self.waiting_since else 0

    def progress(self) -> Progress:
        at = START + timedelta(seconds=self.now)
        pending = self.backlog
        return Progress(
            at=at,
            partitions=(PartitionProgress(int(self.arrived), int(self.done), int(self.done)),),
            pending=pending,
            in_flight=0,
            waiting=1,
            oldest_pending=at - timedelta(seconds=self.age()) if pending else None,
            deliveries=int(self.done),
        )


@dataclass
class Run:
    """What was seen, tick by tick."""

    replicas: list[int] = field(default_factory=list)
    backlog: list[int] = field(default_factory=list)
    age: list[int] = field(default_factory=list)
    changes: list[tuple[int, int]] = field(default_factory=list)  # (second, replicas)


def play(model: Model, seconds: int, minimum: int = 0, maximum: int = 24) -> Run:
    """The loop as the operator runs it: look, decide, scale, every five seconds."""
    rule = Rule(minimum, maximum, idle_after=timedelta(minutes=5))
    history, state, run = History(), State(), Run()
    head = -1
    while model.now < seconds:
        for _ in range(TICK):
            model.step()
        now = START + timedelta(seconds=model.now)
        moved, head = int(model.arrived) != head, int(model.arrived)
        if moved or not history.at_rest:
            history = seen(history, model.progress(), now)
        else:
            history = unmoved(history, now)
        lag = figures(history, now, timedelta(minutes=1))
        load = Load("g", lag, timedelta(seconds=60), timedelta(seconds=60), timedelta(minutes=1))
        decision, state = decide(Observation(now, model.replicas, model.replicas, (load,)), state, rule)
        if decision.desired != model.replicas:
            run.changes.append((model.now, decision.desired))
        model.scale(decision.desired)
        run.replicas.append(decision.desired)
        run.backlog.append(model.backlog)
        run.age.append(model.age())
    return run


def after(run_values: list[int], second: int) -> list[int]:
    return run_values[second // TICK :]


@pytest.mark.parametrize("rate", [3, 20, 180, 199, 480])
@pytest.mark.parametrize("pod_start", [2, 20])
def test_steady_arrivals_end_in_a_number_that_does_not_change(rate: int, pod_start: int) -> None:
    run = play(Model(lambda _: rate, per_replica=50, pod_start=pod_start), 3600)
    last = after(run.replicas, 1200)
    assert len(set(last)) == 1, run.changes
    assert rate / 50 <= last[0] <= rate / 50 / 0.8 + 1
    assert max(after(run.age, 1200)) <= 60
    assert len(run.changes) <= 10


def burst(begin: int, end: int, high: float, low: float) -> Callable[[int], float]:
    return lambda t: high if begin <= t < end else low


def test_a_burst_is_drained_in_about_the_declared_time() -> None:
    run = play(Model(burst(1200, 1320, 600, 60), per_replica=50), 3600)
    over = after(run.backlog, 1320 + 90)
    assert max(over[: 600 // TICK]) <= 60 * 5
    assert max(run.age[1200 // TICK : 2400 // TICK]) <= 60
    assert run.replicas[-1] <= 3


def test_the_number_goes_up_in_one_step_from_zero_once_the_rate_is_known() -> None:
    waves = play(Model(lambda t: 400 if t % 1800 < 300 else 0, per_replica=50), 3600)
    second = [replicas for at, replicas in waves.changes if at > 1800]
    assert second[0] > 3, waves.changes


def test_a_workload_without_work_goes_to_zero_after_the_declared_time() -> None:
    run = play(Model(burst(0, 300, 100, 0), per_replica=50), 1800)
    to_zero = [at for at, replicas in run.changes if replicas == 0]
    assert len(to_zero) == 1
    assert 300 <= to_zero[0] - 300 <= 300 + 2 * TICK


def test_going_down_and_up_again_does_not_repeat_itself_under_constant_noise() -> None:
    run = play(Model(lambda t: 180 + 30 * ((t * 7919 % 11) - 5) / 5, per_replica=50), 3600)
    assert len(set(after(run.replicas, 1200))) <= 2, run.changes
    assert len([at for at, _ in run.changes if at > 1200]) <= 2
