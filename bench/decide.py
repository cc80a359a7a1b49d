"""What deciding costs: a thousand groups of 24 partitions, against a plain loop over the same figures. Asks nobody.

Processor time of one core, and the best of several rounds, so that other work on the machine does not count.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.figures import Figure

from headgate.core.lag import History, figures, seen
from headgate.core.progress import PartitionProgress, Progress
from headgate.core.scale import decide
from headgate.core.scaling import Load, Observation, Rule, State

GROUPS, PARTITIONS, LOOKS = 1000, 24, 32
MOST_MS: Final = 200.0
_KINDS: Final = 40  # of histories; groups that share one differ in what they remember
_ROUNDS: Final = 7
_RATE: Final = 50.0
_PERIOD: Final = timedelta(seconds=4.5)
_MINUTE: Final = timedelta(minutes=1)
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_RULE: Final = Rule(1, PARTITIONS, timedelta(minutes=5), floor=2)


async def measure() -> list[Figure]:
    """Milliseconds for all groups, and how many plain loops that is."""
    histories = [_history(kind) for kind in range(_KINDS)]
    now = _START + LOOKS * _PERIOD
    looks = [_look(histories[number % _KINDS], number, now) for number in range(GROUPS)]
    states = [_remembered(look) for look in looks]
    deciding = _best(lambda: [decide(look, state, _RULE) for look, state in zip(looks, states, strict=True)])
    plain = _best(lambda: [_plainly(look) for look in looks])
    figuring = _best(lambda: [figures(histories[n % _KINDS], now, _MINUTE) for n in range(GROUPS)])
    return [
        Figure("decisions for 1,000 groups of 24 partitions", deciding, "ms", most=MOST_MS),
        Figure("plain loop over the same figures", plain, "ms"),
        Figure("decisions / plain loop", deciding / plain, "x"),
        Figure("figures of the same groups from what was read", figuring, "ms"),
    ]


def _history(kind: int) -> History:
    """Two and a half minutes of one group: some keep up, some fall behind, and each has its own arrivals."""
    arriving, done = 30.0 + 20 * (kind % 20), 1.0 if kind < _KINDS // 2 else 0.7
    history, replicas = History(), _replicas(kind)
    for number in range(LOOKS):
        at = _START + number * _PERIOD
        head = int(arriving * number * _PERIOD.total_seconds() / PARTITIONS)
        behind = min(head, int(arriving * 4 / PARTITIONS))
        parts = tuple(
            PartitionProgress(head, each := max(0, int(done * head) - behind), each, partition % replicas)
            for partition in range(PARTITIONS)
        )
        pending = sum(part.head - part.delivered for part in parts)
        read = Progress(at, parts, exclusive=True, pending=pending, in_flight=0, waiting=1)
        history = seen(history, read, at)
    return history


def _replicas(kind: int) -> int:
    return 2 + kind % 7


def _look(history: History, number: int, now: datetime) -> Observation:
    load = Load(f"shop/{number}", figures(history, now, _MINUTE), _MINUTE, _MINUTE, _MINUTE)
    replicas = _replicas(number % _KINDS)
    return Observation(now, replicas, replicas, (load,))


def _remembered(look: Observation) -> State:
    """What is known after some minutes with these figures."""
    state = State({look.loads[0].name: _RATE})
    for seconds in range(300, 0, -5):
        state = decide(replace(look, now=look.now - timedelta(seconds=seconds)), state, _RULE)[1]
    return state


def _plainly(look: Observation) -> int:
    """Replicas for what arrives and what waits, by nothing but sums."""
    need = 0.0
    for load in look.loads:
        spread = load.lag.spread
        if spread is not None:
            for arriving, waiting in zip(spread.usual, spread.pending, strict=True):
                need += (arriving + waiting / 60) / _RATE
    return max(_RULE.minimum, min(math.ceil(need), _RULE.maximum))


def _best(work: Callable[[], Sequence[object]]) -> float:
    found = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        work()
        found.append(1000 * (time.process_time() - begun))
    return min(found)
