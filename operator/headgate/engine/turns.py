"""Who is read at one look where there is not time for all: half by urgency, half by patience. Knows no broker."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headgate.core.estate import Ref


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group that may have something to tell."""

    group: Ref
    turn: int  # grows with every reading, whoever is read; 0: never
    absent: bool = False  # its reader was not there when it was looked for last
    moved: bool = False  # its topic is not as it was a look ago
    holds: bool = False  # there are events in its topic
    scaled: bool = False  # a workload waits for its figures


def chosen(waiting: Collection[Waiting], most: int) -> tuple[Sequence[Ref], Sequence[Ref]]:
    """Those whose turn it is: the urgent ones, and those that have waited longest. `most` in all, at least one.

    Who is both stands in both. Read in step, each has half of the time there is, however much that turns out to be: news
    never waits behind idle groups that nobody has read yet, and no wait depends on how much is urgent.
    """
    most = max(1, most)
    urgent = [one.group for one in sorted(filter(_is_urgent, waiting), key=_urgency)[: most // 2]]
    left, also = most - len(urgent), frozenset(urgent)
    patient = []
    for one in sorted(waiting, key=_patience):
        if left == 0:
            break
        patient.append(one.group)
        left -= one.group not in also
    return urgent, patient


def _is_urgent(one: Waiting) -> bool:
    return not one.absent and (one.moved or (one.turn == 0 and (one.holds or one.scaled)))


def _urgency(one: Waiting) -> tuple[bool, bool, bool, int]:
    """What has just come; then what nobody has read yet, if it may be late, and of that what can be scaled."""
    return (not one.moved, not one.holds, not one.scaled, one.turn)


def _patience(one: Waiting) -> tuple[bool, int]:
    return one.absent, one.turn
