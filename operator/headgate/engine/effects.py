"""Carries out a plan in its order, as many changes at once as the order allows. Decides nothing."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from headgate.brokers.base import Blocked, Broker, Ongoing, Refused, Unavailable, Unknown, Unreachable
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key, Observed


@dataclass(slots=True)
class Effects:
    """What came of a plan."""

    observed: dict[Key, Observed | None] = field(default_factory=dict)  # None: gone
    refused: dict[Owner, Finding] = field(default_factory=dict)
    ongoing: dict[Owner, Finding] = field(default_factory=dict)  # begun; also in `unknown`
    unknown: set[Owner] = field(default_factory=set)  # no answer, or not now: read back, then decide
    unreachable: Unreachable | None = None  # the broker went away; the rest was not tried
    done: list[Change] = field(default_factory=list)


def waves(changes: Iterable[Change]) -> list[list[Change]]:
    """Groups of changes that may run side by side, each after all of the groups before it."""
    result: list[list[Change]] = []
    depth: dict[Key, int] = {}
    last_kind = ""
    for change in changes:
        if change.action in (Action.DELETE, Action.RELEASE):
            if change.key.kind != last_kind:
                result.append([])
            last_kind = change.key.kind
            result[-1].append(change)
            continue
        needs = change.after.needs if change.after is not None else ()
        depth[change.key] = 1 + max((depth.get(key, -1) for key in needs), default=-1)
        while len(result) <= depth[change.key]:
            result.append([])
        result[depth[change.key]].append(change)
    return result


async def enforce(
    broker: Broker, changes: Iterable[Change], at_once: int, may_act: Callable[[], bool] = lambda: True
) -> Effects:
    """Apply changes; what fails for one owner stops nobody else, a broker that is away stops all.

    `may_act` is asked before each change: an operator that lost its Lease changes nothing any more.
    """
    effects = Effects()
    gate = asyncio.Semaphore(at_once)
    for wave in waves(changes):
        ready = [change for change in wave if change.owner not in effects.refused]
        await asyncio.gather(*(_one(broker, change, effects, gate, may_act) for change in ready))
        if effects.unreachable is not None:
            break
    return effects


async def _one(
    broker: Broker, change: Change, effects: Effects, gate: asyncio.Semaphore, may_act: Callable[[], bool]
) -> None:
    async with gate:
        if effects.unreachable is not None:
            return
        if not may_act():
            effects.unreachable = Unreachable(
                "LeaseLost", "another operator may be acting; nothing is changed"
            )
            return
        try:
            effects.observed[change.key] = await broker.apply(change)
            effects.done.append(change)
        except Refused as error:
            outcome = Outcome.BLOCKED if isinstance(error, Blocked) else Outcome.REFUSED
            effects.refused[change.owner] = Finding(outcome, error.reason, str(error))
        except Ongoing as error:
            effects.ongoing[change.owner] = Finding(Outcome.WAITING, error.reason, str(error))
            effects.unknown.add(change.owner)
        except (Unknown, Unavailable):
            effects.unknown.add(change.owner)
        except Unreachable as error:
            effects.unreachable = error


def told(effects: Effects, owner: Owner) -> tuple[Finding, ...]:
    """What the broker said about the changes of one owner."""
    return tuple(said[owner] for said in (effects.refused, effects.ongoing) if owner in said)


def after(observed: Mapping[Key, Observed], effects: Effects) -> dict[Key, Observed]:
    """What is in the broker now, as far as we saw it ourselves."""
    seen: dict[Key, Observed] = dict(observed)
    for key, found in effects.observed.items():
        if found is None:
            seen.pop(key, None)
        else:
            seen[key] = found
    return seen
