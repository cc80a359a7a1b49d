"""Carries out one change of a stream or consumer and checks what the server made of it. Decides nothing."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from headgate.brokers.base import BrokerError, Refused, Unavailable, Unreachable
from headgate.brokers.nats.documents import ADOPTED, IDENTITY, OWNER, Json, dump, load_placement, mark_of
from headgate.brokers.nats.jetstream import (
    CONSUMER_EXISTS,
    NAME_USED,
    NO_STREAM,
    STREAM_EXISTS,
    SUBJECTS_OVERLAP,
    JetStream,
    Rejected,
)
from headgate.brokers.nats.reading import observed
from headgate.brokers.nats.resources import ADVISORIES, STREAM, Consumer, Stream, split, stream_key
from headgate.brokers.pace import Pace
from headgate.core.changes import Action, Change
from headgate.core.resource import Key, Observed, Resource, differences

_TAKEN: Final = frozenset({STREAM_EXISTS, CONSUMER_EXISTS, NAME_USED})


class Writer:
    """The only place that changes anything in the broker."""

    def __init__(self, js: JetStream, lane: Pace) -> None:
        self._js, self._lane = js, lane

    async def apply(self, change: Change) -> Observed | None:
        """One change; safe to repeat."""
        match change.action:
            case Action.CREATE:
                return await self._create(change)
            case Action.ADOPT | Action.UPDATE:
                return await self._update(change)
            case Action.DELETE:
                await self._delete(change)
                return None
            case Action.RELEASE:  # what stays in JetStream stays as it is
                return None

    async def _create(self, change: Change) -> Observed:
        desired = _after(change)
        try:
            info = await self._send(desired, dump(desired, None, _marks(change)), creating=True)
        except Rejected as error:
            if error.code == SUBJECTS_OVERLAP:
                raise await self._overlap(desired) from None
            if error.code == NO_STREAM:
                raise await self._homeless(change.key, error) from None
            if error.code not in _TAKEN:
                raise
            return await self._found_instead(change)
        return _verified(desired, info)

    async def _found_instead(self, change: Change) -> Observed:
        """Somebody was first: fine where that was us, or where it is what all operators of the account share."""
        info = await self._info(change.key)
        if info is None:
            raise Unreachable("Changed", f"{change.key} came and went while it was created")
        if change.key != ADVISORIES and mark_of(info["config"]) != str(change.owner):
            raise Refused("AlreadyExists", f"{change.key} exists, differs and is not ours")
        return await self._update(replace(change, identity=""))

    async def _update(self, change: Change) -> Observed:
        desired = _after(change)
        info = await self._info(change.key)
        if info is None:
            raise Unreachable("Changed", f"{change.key} vanished while it was updated")
        _same(change, info)
        mark = mark_of(info["config"])
        if mark not in (None, str(change.owner), *filter(None, (change.replaces,))):
            raise Refused("OwnedByAnother", f"{change.key} bears the mark of {mark}")
        for step in _steps(desired, info["config"]):
            info = await self._send(
                step, dump(step, info["config"], _kept_marks(change, info)), creating=False
            )
        return _verified(desired, await self._paused(desired, info))

    async def _paused(self, desired: Stream | Consumer, info: Json) -> Json:
        """A pause is no setting to the server: an update keeps what it has, a call of its own changes it."""
        if not isinstance(desired, Consumer) or desired.pause_until is None:
            return info
        if not list(
            differences(
                Consumer(desired.key, pause_until=desired.pause_until), observed(desired.key, info).resource
            )
        ):
            return info
        stream, durable = split(desired.key)
        body = {"pause_until": desired.pause_until} if desired.pause_until else {}
        answer = await self._js.call(self._lane, f"CONSUMER.PAUSE.{stream}.{durable}", body)
        # The answer counts: in a cluster an info may show the old moment for a little longer.
        return {**info, "config": {**info["config"], "pause_until": answer.get("pause_until")}}

    async def _delete(self, change: Change) -> None:
        info = await self._info(change.key)
        if info is None:
            return
        _same(change, info)
        mark = mark_of(info["config"])
        if mark not in (None, str(change.owner)):
            raise Refused("OwnedByAnother", f"{change.key} bears the mark of {mark}; it was not deleted")
        if change.only_if_empty and _holds(info):
            raise Refused("NotEmpty", f"{change.key} holds {_holds(info)} messages; it was not deleted")
        await self._js.find(self._lane, f"{_kind(change.key)}.DELETE.{_path(change.key)}")

    async def _info(self, key: Key) -> Json | None:
        return await self._js.find(self._lane, f"{_kind(key)}.INFO.{_path(key)}")

    async def _send(self, desired: Stream | Consumer, config: dict[str, Any], *, creating: bool) -> Json:
        if isinstance(desired, Stream):
            verb = "CREATE" if creating else "UPDATE"
            return await self._js.call(
                self._lane, f"STREAM.{verb}.{desired.key.name}", {**config, "name": desired.key.name}
            )
        stream, durable = split(desired.key)
        body = {
            "stream_name": stream,
            "config": {**config, "name": durable, "durable_name": durable},
            "action": "create" if creating else "update",
        }
        return await self._js.call(self._lane, f"CONSUMER.CREATE.{stream}.{durable}", body)

    async def _homeless(self, key: Key, error: Rejected) -> BrokerError:
        """A cluster calls a stream not found whose servers are down: nobody believes that before the stream was asked for."""
        stream = stream_key(split(key)[0])
        try:
            found = await self._info(stream)
        except Unreachable as silence:
            unread = self._js.unread(silence, str(stream))
            return Unavailable(unread.reason, unread.message)
        return error if found is None else Unavailable("NoLeader", f"{stream} takes no readers now: {error}")

    async def _overlap(self, desired: Resource) -> Refused:
        """The server does not say whose subjects overlap; people need to know."""
        names: set[str] = set()
        for subject in (desired.subjects or ()) if isinstance(desired, Stream) else ():
            answer = await self._js.call(self._lane, "STREAM.NAMES", {"subject": subject})
            names.update(answer.get("streams") or ())
        others = ", ".join(sorted(names - {desired.key.name})) or "another stream"
        return Refused(
            "SubjectsOverlap",
            f"spec.subjects: subjects of {desired.key} are taken by {others}; declare others",
        )


def _after(change: Change) -> Stream | Consumer:
    if not isinstance(change.after, Stream | Consumer):
        raise Refused("InvalidSetting", f"{change.key} is neither a stream nor a consumer")
    return change.after


def _marks(change: Change) -> Mapping[str, str]:
    if change.key == ADVISORIES:
        return {IDENTITY: secrets.token_hex(16)}
    return {OWNER: str(change.owner)}


def _kept_marks(change: Change, info: Json) -> Mapping[str, str]:
    """The identity of the cluster is written once; whoever comes later keeps it."""
    found = (info["config"].get("metadata") or {}).get(IDENTITY)
    if change.key == ADVISORIES:
        return {IDENTITY: found} if found else _marks(change)
    fresh = change.action is Action.ADOPT and mark_of(info["config"]) != str(change.owner)
    return {**_marks(change), ADOPTED: "true"} if fresh else _marks(change)


def _same(change: Change, info: Json) -> None:
    if change.identity and info["created"] != change.identity:
        raise Refused("IdentityChanged", f"{change.key} was deleted and made again since it was read")


def _steps(desired: Stream | Consumer, config: Json) -> tuple[Stream | Consumer, ...]:
    """The server refuses to move a stream and to change its replicas in one update."""
    if not isinstance(desired, Stream) or desired.placement is None or desired.num_replicas is None:
        return (desired,)
    moves = desired.placement != load_placement(config.get("placement") or {})
    if not moves or desired.num_replicas == config.get("num_replicas"):
        return (desired,)
    return replace(desired, num_replicas=config.get("num_replicas")), desired


def _verified(desired: Stream | Consumer, info: Json) -> Observed:
    """Some servers drop in silence what they do not know."""
    result = observed(desired.key, info)
    for diff in differences(desired, result.resource):
        text = f"{desired.key}: asked for {diff.field} {diff.after!r}, the server made {diff.before!r} of it"
        raise Refused("NotHonoured", text)
    return result


def _holds(info: Json) -> int:
    state = info.get("state")
    return int(state["messages"]) if state else int(info["num_pending"]) + int(info["num_ack_pending"])


def _kind(key: Key) -> str:
    return "STREAM" if key.kind == STREAM else "CONSUMER"


def _path(key: Key) -> str:
    return key.name.replace("/", ".")
