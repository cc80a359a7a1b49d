"""Carries out one change of an exchange or queue and checks what the server made of it. Decides nothing.

In this order: the policy, then the object it is for, then its bindings. The server may miss a policy that is written
while a queue is declared, so nothing is done before the settings in effect are seen to be ours.
"""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from headgate.brokers.base import Blocked, Refused, Unavailable, Unreachable
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.documents import Json, Snapshot, observed, overruling
from headgate.brokers.rabbitmq.facts import LIVE_POLICIES
from headgate.brokers.rabbitmq.names import closed_name, mark_in, policy_name, replay_name, step_name
from headgate.brokers.rabbitmq.parts import Part, Policy, Signature, parts_of
from headgate.brokers.rabbitmq.reading import Reader
from headgate.brokers.rabbitmq.resources import EXCHANGE, QUEUE, STREAM, UNROUTED, Binding, Exchange, Queue
from headgate.core.changes import Action, Change
from headgate.core.resource import Diff, Key, Observed, differences

_PATHS: Final = {EXCHANGE: "exchanges", QUEUE: "queues"}
SHARED: Final = "headgate/shared/headgate/unrouted"
_SHADOWS: Final = frozenset({"shadowed_by", "replay_shadowed_by"})
_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
PATIENCE: Final = 20.0  # seconds until settings have to be in effect where the server tells that late
LIVE_PATIENCE: Final = 4.0  # where it tells at once
_DOUBT: Final = 0.6  # of that time, after which the server is taken to have missed a policy
SETTLE: Final = 6.0  # seconds after which counts of queues are those of now
_POLICIES_AT_ONCE: Final = 4
_LIVE_LOOK, _SLOW_LOOK = 0.05, 1.0  # seconds between looks


class Writer:
    """The only place that changes anything in the broker."""

    def __init__(self, reader: Reader, lane: Pace, priority: int, *, settle: float = SETTLE) -> None:
        self._reader, self._api, self._lane = reader, reader.api, lane
        self._priority, self._settle = priority, settle
        self._policies = asyncio.Semaphore(_POLICIES_AT_ONCE)

    async def apply(self, change: Change) -> Observed | None:
        """One change; safe to repeat."""
        if change.action is Action.DELETE:
            await self._delete(change)
            return None
        if change.action is Action.RELEASE:
            await self.release(change.key, change.identity)
            return None
        desired = _after(change)
        snapshot = await self._read(change, desired)
        found = observed(snapshot, change.key)
        if change.action is Action.CREATE:
            _may_create(change, found)
        else:
            found = _same(change, found)
        _possible(desired, found)
        _in_force(desired, snapshot)
        return await self._make(change, desired, snapshot)

    async def _read(
        self, change: Change, desired: Exchange | Queue | None, known: Mapping[str, Json] = _NOTHING
    ) -> Snapshot:
        marks = (_mark(change), *filter(None, (change.replaces,)))
        titles = [policy_name(kind, name, mark) for kind, name in _names(change, desired) for mark in marks]
        beside = [name for _, name in _names(change, desired)[1:]]
        return await self._reader.one(self._lane, change.key, beside, () if known else titles, known)

    async def _make(self, change: Change, desired: Exchange | Queue, before: Snapshot) -> Observed:
        signature = Signature(_mark(change), secrets.token_hex(8), self._priority)
        parts = parts_of(desired, signature)
        doubtful = tuple([part for part in parts if await self._policy(part, before)])
        for part in parts:
            await self._part(part, before)
        await self._tidy(change, desired, before, parts)
        return await self._settled(change, desired, parts, doubtful)

    async def _policy(self, part: Part, before: Snapshot) -> bool:
        """Write the policy where it differs, and say whether the object may hold on to what it had before."""
        policy = part.policy
        if policy is None:
            return False
        found = before.policies.get(policy.name)
        if found is not None and _body(policy) == {name: found.get(name) for name in _body(policy)}:
            return False
        await self._put_policy(policy)
        return found is not None or part.name in before.queues

    async def _put_policy(self, policy: Policy) -> None:
        """The server goes through all of its queues for each: many at once would wait for each other beyond their time."""
        async with self._policies:
            await self._api.put(self._lane, self._api.path("policies", policy.name), _body(policy))

    async def _part(self, part: Part, before: Snapshot) -> None:
        there = before.exchanges if part.kind == EXCHANGE else before.queues
        if part.name not in there:
            await self._api.put(self._lane, self._api.path(_PATHS[part.kind], part.name), _declaration(part))
        if part.kind == QUEUE:
            await self._bindings(part, set(before.bindings.get(part.name, ())))

    async def _bindings(self, part: Part, bound: set[Binding]) -> None:
        """New ones come before old ones go: an event may reach a queue twice for a moment, but not never."""
        for binding in sorted(set(part.bindings) - bound):
            path = self._api.path("bindings", "e", binding.source, "q", part.name)
            await self._api.post(self._lane, path, {"routing_key": binding.routing_key})
        ours = {binding.source for binding in part.bindings}
        for binding in sorted(bound - set(part.bindings)):
            if part.type != STREAM or binding.source in ours:
                await self._unbind(part.name, binding)

    async def _unbind(self, queue: str, binding: Binding) -> None:
        path = self._api.path("bindings", "e", binding.source, "q", queue)
        for found in await self._api.find(self._lane, path) or ():
            if found["routing_key"] == binding.routing_key:
                props = self._api.quoted(found["properties_key"])
                await self._api.delete(self._lane, f"{path}/{props}")

    async def _tidy(
        self, change: Change, desired: Exchange | Queue, before: Snapshot, parts: Iterable[Part]
    ) -> None:
        """What an earlier declaration or owner left: policies under another mark, steps that nobody waits in."""
        kept = {part.policy.name for part in parts if part.policy}
        wanted = {part.name for part in parts}
        for kind, name in _names(change, desired):
            if name not in wanted and name in before.queues and isinstance(desired, Queue):
                await self._drop_step(name)
            for title in before.policies:
                if mark_in(title, kind, name) and title not in kept:
                    await self._api.delete(self._lane, self._api.path("policies", title))

    async def _drop_step(self, name: str) -> None:
        """One that holds events stays until they have gone back; whoever looks next finds it empty."""
        if await self._messages(name):
            raise Unavailable(
                "NotEmpty", f"{name} holds events that wait to go back; it goes when they are through"
            )
        await self._api.delete(self._lane, self._api.path("queues", name))

    async def _settled(
        self, change: Change, desired: Exchange | Queue, parts: tuple[Part, ...], doubtful: tuple[Part, ...]
    ) -> Observed:
        """What the server made of it, as soon as the settings in effect are ours."""
        loop = asyncio.get_running_loop()
        live = await self._reader.level(self._lane) >= LIVE_POLICIES
        look, patience = (_LIVE_LOOK, LIVE_PATIENCE) if live else (_SLOW_LOOK, PATIENCE)
        start, healed = loop.time(), False
        written = {policy.name: _body(policy) for part in parts if (policy := part.policy) is not None}
        while True:
            snapshot = await self._read(change, desired, written)
            found = observed(snapshot, change.key)
            if found is None:
                raise Unreachable("Changed", f"{change.key} vanished while it was changed")
            diffs = tuple(differences(desired, found.resource))
            _not_shadowed(change.key, snapshot, diffs, self._priority)
            if not diffs and (live or await self._told(doubtful)):
                return _owned(change, found)
            waited = loop.time() - start
            if waited > patience:
                raise await self._not_honoured(change.key, desired, snapshot)
            if waited > patience * _DOUBT and not healed:
                healed = True
                await self._heal(parts)
            await asyncio.sleep(look)

    async def _not_honoured(self, key: Key, desired: Exchange | Queue, snapshot: Snapshot) -> Refused:
        """What came of it instead, with what only statistics tell."""
        told = {
            name: await self._reader.fresh(self._lane, name) or queue
            for name, queue in snapshot.queues.items()
        }
        found = observed(replace(snapshot, queues=told), key)
        diffs = tuple(differences(desired, found.resource)) if found is not None else ()
        return _not_honoured(key, told, diffs)

    async def _told(self, parts: Iterable[Part]) -> bool:
        """Whether the server says that these settings are in effect; older ones say that only after a while.

        A new queue with the name of a new policy has its settings: there are no others that it could have.
        """
        for part in parts:
            if part.kind == QUEUE and part.policy is not None:
                found = await self._reader.fresh(self._lane, part.name) or {}
                if found.get("effective_policy_definition") != part.policy.definition:
                    return False
        return True

    async def _heal(self, parts: Iterable[Part]) -> None:
        """A queue that missed its policy takes it when a policy changes; the same one written again changes nothing."""
        for part in parts:
            if part.policy is not None:
                for priority in (part.policy.priority + 1, part.policy.priority):
                    await self._put_policy(replace(part.policy, priority=priority))

    async def release(self, key: Key, identity: str) -> None:
        """Take the bindings of a queue away and keep the queue with what it holds: nobody fills it any more."""
        snapshot = await self._reader.one(self._lane, key)
        found = observed(snapshot, key)
        if found is None or key.kind != QUEUE:
            return
        if identity and found.identity != identity:
            raise Refused("IdentityChanged", f"{key} was deleted and made again since it was read")
        for binding in snapshot.bindings.get(key.name, ()):
            await self._unbind(key.name, binding)

    async def _delete(self, change: Change) -> None:
        snapshot = await self._read(change, None)
        found = observed(snapshot, change.key)
        if found is None:
            for kind, name in _names(change, None):  # an earlier try may have come no further
                title = policy_name(kind, name, _mark(change))
                await self._api.delete(self._lane, self._api.path("policies", title))
            return
        if change.identity and found.identity != change.identity:
            raise Refused("IdentityChanged", f"{change.key} was deleted and made again since it was read")
        if found.mark not in (None, _mark(change)):
            raise Refused(
                "OwnedByAnother", f"{change.key} bears the mark of {found.mark}; it was not deleted"
            )
        if change.only_if_empty:
            await self._ensure_empty(change.key, snapshot)
        for kind, name in _names(change, None):
            await self._api.delete(self._lane, self._api.path(_PATHS[kind], name))
            for title in snapshot.policies:
                if mark_in(title, kind, name):
                    await self._api.delete(self._lane, self._api.path("policies", title))

    async def _ensure_empty(self, key: Key, snapshot: Snapshot) -> None:
        """The server deletes what holds messages without asking, so nothing may come in while we count."""
        queues = [name for name in snapshot.queues if name != closed_name(key.name)]
        bound = {name: snapshot.bindings.get(name, ()) for name in queues}
        if key.kind == QUEUE:
            for name, bindings in bound.items():
                for binding in bindings:
                    await self._unbind(name, binding)
        await asyncio.sleep(self._settle)
        held = {name: await self._messages(name) for name in queues}
        if any(held.values()):
            for name, bindings in bound.items():
                for binding in bindings:
                    path = self._api.path("bindings", "e", binding.source, "q", name)
                    await self._api.post(self._lane, path, {"routing_key": binding.routing_key})
            listed = ", ".join(f"{name} holds {count}" for name, count in held.items() if count)
            raise Refused("NotEmpty", f"{key}: {listed} messages; it was not deleted")

    async def _messages(self, queue: str) -> int:
        """How many there are, as of some seconds ago; those of a stream are told by statistics alone."""
        found = await self._reader.live(self._lane, queue)
        if found is None:
            return 0
        if found.get("messages") is None:
            found = await self._reader.fresh(self._lane, queue) or {}
        if found.get("messages") is None:
            raise Unavailable("IncompleteResults", f"the server has not counted queue {queue} yet")
        return int(found["messages"])


def _names(change: Change, desired: Exchange | Queue | None) -> list[tuple[str, str]]:
    """Everything that may belong to the object of a change: whatever is declared or was read."""
    name = change.key.name
    if change.key.kind == EXCHANGE:
        return [(EXCHANGE, name), (QUEUE, replay_name(name))]
    steps = [step_name(name, wait) for wait in _steps(change, desired)]
    closed = [closed_name(name)] if _remembers(change, desired) else []
    return [(QUEUE, each) for each in (name, *steps, *closed)]


def _remembers(change: Change, desired: Exchange | Queue | None) -> bool:
    return any(isinstance(side, Queue) and side.closed_max_age for side in (desired, change.before))


def _steps(change: Change, desired: Exchange | Queue | None) -> tuple[timedelta, ...]:
    sides = (desired, change.before)
    return tuple(sorted({wait for side in sides if isinstance(side, Queue) for wait in side.steps or ()}))


def _after(change: Change) -> Exchange | Queue:
    if not isinstance(change.after, Exchange | Queue):
        raise Refused("InvalidSetting", f"{change.key} is neither an exchange nor a queue")
    return change.after


def _may_create(change: Change, found: Observed | None) -> None:
    """Somebody was first: fine where that was us, or where it is what all operators of the virtual host share."""
    if found is None or found.mark == _mark(change):
        return
    raise Refused("AlreadyExists", f"{change.key} exists and is not ours")


def _same(change: Change, found: Observed | None) -> Observed:
    if found is None:
        raise Unreachable("Changed", f"{change.key} vanished while it was updated")
    if change.identity and found.identity != change.identity:
        raise Refused("IdentityChanged", f"{change.key} was deleted and made again since it was read")
    if found.mark not in (None, _mark(change), *filter(None, (change.replaces,))):
        raise Refused("OwnedByAnother", f"{change.key} bears the mark of {found.mark}")
    return found


def _possible(desired: Exchange | Queue, found: Observed | None) -> None:
    """What is given at the making stays: the server would refuse, or make nothing of it."""
    for diff in differences(desired, found.resource) if found is not None else ():
        if not desired.may_change(diff.field, diff.before, diff.after):
            raise Refused(
                "ImmutableSetting",
                f"{desired.key}: {diff.field} is {diff.before} and cannot become {diff.after}; nothing was changed",
            )


def _in_force(desired: Exchange | Queue, snapshot: Snapshot) -> None:
    """Arguments of whoever made it weaken our policy, and the server shows the policy as if they did not."""
    there = snapshot.queues if isinstance(desired, Queue) else snapshot.exchanges
    item = there.get(desired.key.name)
    if item is None:
        return
    if found := overruling(desired, item):
        raise Refused(
            "ImmutableSetting",
            f"{desired.key}: it was made with {', '.join(found)}, which no policy can lift: declare the same, or move to "
            "another externalName; nothing was changed",
        )


def _owned(change: Change, found: Observed) -> Observed:
    """A race for a new object is lost by whoever came second, who finds the mark of the first."""
    if found.mark != _mark(change):
        raise Refused("AlreadyExists", f"{change.key} bears the mark of {found.mark}")
    return found


def _mark(change: Change) -> str:
    """What all operators of a virtual host share is marked as nobody's own."""
    return SHARED if change.key == UNROUTED else str(change.owner)


def _not_shadowed(key: Key, snapshot: Snapshot, diffs: Iterable[Diff], ours: int) -> None:
    for diff in diffs:
        if diff.field in _SHADOWS and diff.before:
            rank = snapshot.policies.get(str(diff.before), {}).get("priority", "unknown")
            raise Blocked(
                "PolicyShadowed",
                f"{key}: policy {diff.before} of priority {rank} is in effect instead of ours of {ours}: lower its "
                "priority, narrow its pattern, or raise policyPriority of the EventBroker",
            )


def _not_honoured(key: Key, queues: Mapping[str, Json], diffs: tuple[Diff, ...]) -> Refused:
    operators = {str(queue["operator_policy"]) for queue in queues.values() if queue.get("operator_policy")}
    why = (
        f"; operator policy {', '.join(sorted(operators))} decides too: have it changed" if operators else ""
    )
    told = "; ".join(
        f"asked for {diff.field} {diff.after}, the server made {diff.before} of it" for diff in diffs
    )
    return Refused(
        "NotHonoured", f"{key}: {told or 'the server does not say that our policy is in effect'}{why}"
    )


def _body(policy: Policy) -> Json:
    return {
        "pattern": policy.pattern,
        "apply-to": policy.applies_to,
        "priority": policy.priority,
        "definition": dict(policy.definition),
    }


def _declaration(part: Part) -> Json:
    arguments = dict(part.arguments)
    if part.kind == EXCHANGE:
        return {"type": part.type, "durable": True, "arguments": arguments}
    return {"durable": True, "arguments": {"x-queue-type": part.type, **arguments}}
