"""Hears advisories beside the stream that keeps them, and puts in again what that stream may have missed. Knows no dead letters.

Servers announce once, to whoever listens. Of a stream it is the leader that listens, so while a cluster elects one the
announcements of all other streams are lost. A mover therefore listens too, on two servers, and remembers what it heard
until the stream is known to have been led by the same server all the while.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from headgate.brokers.base import BrokerError, Refused
from headgate.brokers.nats.bulk import Answer, Ask, Bulk
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.names import ADVISORIES_NAME, ADVISORY_SUBJECTS

LOOK: Final = 1.0  # seconds between looks who leads
ANSWER: Final = 2.0  # seconds for it; without a leader nobody answers
MARGIN: Final = 0.5  # seconds: what a leader took so shortly before it died may be on no other server yet
RETRY: Final = 2.0  # seconds until a lost ear listens again
FLUSH: Final = 5  # seconds for a subscription to stand
MOST: Final = 50_000  # advisories remembered, about 25 MB
LOT: Final = 500  # put in at once
AGAIN: Final = "Headgate-Again"  # stands on what was put in, for other ears
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Heard:
    subject: str
    at: float


class Ears:
    """What a mover hears by itself on one account of a cluster."""

    def __init__(self, first: Link, second: Link | None, bulk: Bulk, api: str) -> None:
        self._first, self._second, self._bulk, self._api = first, second, bulk, api
        self._held: dict[bytes, _Heard] = {}  # by its text, which has an id: both ears hear the same
        self._leader = ""  # at the last look; nothing where nobody answered
        self._full = False

    async def run(self) -> NoReturn:
        """Listen, remember and put in again until cancelled. Without a cluster there is nothing to do: who keeps also announces."""
        self._leader = await self._who_leads()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(self._first))
            if self._second is not None:
                tasks.create_task(self._listen_apart(self._second))
            await self._watch()

    async def _listen(self, link: Link) -> NoReturn:
        while True:
            try:
                client = await link.client()
                if clustered(link):
                    await self._subscribe(client)
            except (BrokerError, errors.Error, OSError, TimeoutError):
                await asyncio.sleep(RETRY)
            else:
                await link.lost()

    async def _listen_apart(self, second: Link) -> NoReturn:
        """The second ear, once the cluster is known to have a second server."""
        while True:
            try:
                await self._first.client()
            except BrokerError:
                await asyncio.sleep(RETRY)
            else:
                if clustered(self._first):
                    await self._listen(second)
                await self._first.lost()

    async def _subscribe(self, client: Client) -> None:
        for subject in ADVISORY_SUBJECTS:
            await client.subscribe(subject, cb=self._on_advisory, pending_msgs_limit=0, pending_bytes_limit=0)
        await client.flush(timeout=FLUSH)
        if "permissions violation" in str(client.last_error).lower():
            log.warning(
                "announcements are lost while a cluster elects a leader: the login may not subscribe to %s",
                " and ".join(ADVISORY_SUBJECTS),
                extra={"reason": "PermissionDenied"},
            )

    async def _on_advisory(self, msg: Msg) -> None:
        if msg.headers and AGAIN in msg.headers:
            return
        if len(self._held) < MOST:
            self._held.setdefault(msg.data, _Heard(msg.subject, asyncio.get_running_loop().time()))
        elif not self._full:
            self._full = True
            log.error("more advisories than can be remembered while their stream has no leader")

    async def _watch(self) -> NoReturn:
        while True:
            await asyncio.sleep(LOOK)
            if self._first.connection is not None and not clustered(self._first):
                continue
            await self._look()

    async def _look(self) -> None:
        """Forget what a leader that stayed has taken; put in again what came while it is not certain that one was there."""
        asked = asyncio.get_running_loop().time()
        before, self._leader = self._leader, await self._who_leads()
        if not self._leader:
            return
        if self._leader == before:
            kept = {text: each for text, each in self._held.items() if each.at > asked - MARGIN}
            self._held, self._full = kept, False
        else:
            await self._put_in_or_again(list(self._held.items()))
        if self._second is not None:
            await self._second.part()

    async def _who_leads(self) -> str:
        try:
            answer = await self._first.request(f"{self._api}STREAM.INFO.{ADVISORIES_NAME}", b"", ANSWER)
        except BrokerError:
            return ""
        body: dict[str, Any] = json.loads(answer.data)
        return str((body.get("cluster") or {}).get("leader") or "")

    async def _put_in_or_again(self, heard: Sequence[tuple[bytes, _Heard]]) -> None:
        """Put in all of it; while that does not work nobody counts as leading, so that it is tried at the next look."""
        try:
            for start in range(0, len(heard), LOT):
                await self._put_in(heard[start : start + LOT])
        except BrokerError as error:
            self._leader = ""
            log.warning(
                "what was announced cannot be put in again yet: %s", error, extra={"reason": error.reason}
            )
        else:
            if heard:
                said = {"advisories": len(heard)}
                log.warning("put in again what was announced while nobody kept it", extra=said)

    async def _put_in(self, lot: Sequence[tuple[bytes, _Heard]]) -> None:
        """Movers that put in the same are seen through by the server, by the id."""
        asks = [Ask(each.subject, text, {AGAIN: "1", "Nats-Msg-Id": _id(text)}) for text, each in lot]
        for (text, _), answer in zip(lot, await self._bulk.ask(asks), strict=True):
            _demand_stored(answer)
            del self._held[text]


def clustered(link: Link) -> bool:
    """Whether the connected server has others beside it."""
    return bool(link.server.get("cluster")) and link.servers > 1


def _id(text: bytes) -> str:
    """The advisory's own, which all ears read alike."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["id"])
    return ""


def _demand_stored(answer: Answer) -> None:
    if isinstance(answer, BrokerError):
        raise answer
    if error := json.loads(answer.data).get("error"):
        raise Refused("RequestRefused", f"the stream of announcements: {error.get('description')}")
