"""A dead-letter stream as a person goes through it: entries in order, one of them closed. Decides nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from headgate.brokers.base import Refused, Unreachable
from headgate.brokers.nats.bulk import Ask, Bulk, Pairs
from headgate.brokers.nats.jetstream import NO_MESSAGE, NO_STREAM
from headgate.brokers.nats.link import Link
from headgate.brokers.nats.wire import EXPECT_NOTHING, EXPECTED, FULL, ROLLUP, WRONG_LAST, entry_of, guarded
from headgate.core.letters import Entry, Letter

PAGE: Final = 64  # entries asked for at once
_SERVER_TROUBLE: Final = 500


class NatsLetters:
    """One dead-letter stream."""

    def __init__(self, link: Link, stream: str, *, api: str = "$JS.API.", timeout: float = 10.0) -> None:
        self._link, self._stream, self._api = link, stream, api
        self._bulk = Bulk(link, timeout)

    async def entries(self, after: int = 0) -> AsyncIterator[Entry]:
        """Entries in the order of their sequences; gaps are jumped over where they are long."""
        state = (await self._ask("STREAM.INFO", None))["state"]
        position, last = max(after + 1, int(state["first_seq"])), int(state["last_seq"])
        while position <= last:
            page = range(position, min(position + PAGE, last + 1))
            found = [entry for entry in await self._read(page) if entry is not None]
            for entry in found:
                yield entry
            position = page.stop
            if not found and position <= last:
                position = await self._next(position, last)

    async def entry(self, position: int) -> Entry | None:
        """The message at a sequence."""
        (found,) = await self._read(range(position, position + 1))
        return found

    async def close_entry(self, entry: Entry, tombstone: Letter) -> bool:
        """Roll the subject up to the tombstone; where the stream takes nothing more, make room by the entry first.

        Between the two steps of a full stream the subject is empty for a moment. If it all ends there, the entry is
        closed without a trace of who closed it, which is what deleting it by hand would be.
        """
        error = await self._put(tombstone, (ROLLUP, (EXPECTED, str(entry.position))))
        if error == FULL:
            await self._ask("STREAM.MSG.DELETE", {"seq": entry.position, "no_erase": True})
            error = await self._put(tombstone, (EXPECT_NOTHING,))
        if error == WRONG_LAST:
            return False
        if error:
            raise Refused(
                "RequestRefused", f"stream {self._stream} refuses the entry that closes another ({error})"
            )
        return True

    async def aclose(self) -> None:
        """Close the connection."""
        await self._link.aclose()

    async def _put(self, letter: Letter, conditions: tuple[tuple[str, str], ...]) -> int:
        """Publish; the error code, or 0."""
        headers = Pairs([*conditions, *guarded(letter.headers)])
        answer = json.loads((await self._bulk.one(Ask(letter.address, letter.body, headers))).data)
        return int((answer.get("error") or {}).get("err_code", 0))

    async def _read(self, positions: range) -> list[Entry | None]:
        subject = f"{self._api}STREAM.MSG.GET.{self._stream}"
        answers = await self._bulk.ask([Ask(subject, b'{"seq":%d}' % position) for position in positions])
        found = list[Entry | None]()
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            found.append(self._entry(json.loads(answer.data)))
        return found

    async def _next(self, position: int, last: int) -> int:
        """The next sequence at which there is something; beyond the last when there is nothing."""
        body = await self._ask("STREAM.MSG.GET", {"seq": position, "next_by_subj": ">"}, missing_is_fine=True)
        return int(body["message"]["seq"]) if "message" in body else last + 1

    def _entry(self, body: dict[str, Any]) -> Entry | None:
        if "message" in body:
            return entry_of(body["message"])
        if (body.get("error") or {}).get("err_code") == NO_MESSAGE:
            return None
        raise self._error(body)

    async def _ask(self, verb: str, body: object, *, missing_is_fine: bool = False) -> dict[str, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        ask = Ask(f"{self._api}{verb}.{self._stream}", payload)
        found: dict[str, Any] = json.loads((await self._bulk.one(ask)).data)
        error = (found.get("error") or {}).get("err_code", 0)
        if error and not (missing_is_fine and error == NO_MESSAGE):
            raise self._error(found)
        return found

    def _error(self, body: dict[str, Any]) -> Refused | Unreachable:
        error = body.get("error") or {}
        text = f"stream {self._stream}: {self._link.scrub(str(error.get('description', 'no answer')))}"
        if error.get("err_code") == NO_STREAM:
            return Refused("NotFound", f"{text}; has the queue been made in the broker yet?")
        passing = int(error.get("code", 0)) >= _SERVER_TROUBLE
        return Unreachable("ServerTrouble", text) if passing else Refused("RequestRefused", text)
