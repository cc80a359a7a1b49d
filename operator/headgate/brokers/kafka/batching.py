"""Collects what many ask for within a moment and sends it as one request. Knows nothing of Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

MOMENT: Final = 0.003  # seconds: less than a request takes, more than a wave of changes needs to arrive
MOST: Final = 250  # in one request

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")


class Batch(Generic[K, V, R]):
    """One kind of request; every asker gets the answer to its own item."""

    def __init__(self, send: Callable[[Mapping[K, V]], Awaitable[Mapping[K, R]]]) -> None:
        self._send = send
        self._waiting: dict[K, tuple[V, asyncio.Future[R]]] = {}
        self._flushes: set[asyncio.Task[None]] = set()

    async def ask(self, key: K, value: V) -> R:
        """The answer to one item; equal ones asked at the same time share it."""
        while key in self._waiting and self._waiting[key][0] != value:
            await asyncio.wait([self._waiting[key][1]])
        if key not in self._waiting:
            if not self._waiting:
                flush = asyncio.create_task(self._flush())
                self._flushes.add(flush)
                flush.add_done_callback(self._flushes.discard)
            self._waiting[key] = value, asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._waiting[key][1])

    async def _flush(self) -> None:
        await asyncio.sleep(MOMENT)
        items, self._waiting = self._waiting, {}
        names = list(items)
        parts = [names[start : start + MOST] for start in range(0, len(names), MOST)]
        await asyncio.gather(*(self._sent({name: items[name] for name in part}) for part in parts))

    async def _sent(self, items: Mapping[K, tuple[V, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._send({key: value for key, (value, _) in items.items()})
        except BaseException as error:
            for _, future in items.values():
                _fail(future, error)
            if not isinstance(error, Exception):
                raise
            return
        for key, (_, future) in items.items():
            if not future.done():
                future.set_result(answers[key])


def _fail(future: asyncio.Future[R], error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, Exception):
        future.set_exception(error)
        future.exception()  # whoever asked may be gone
    else:
        future.cancel()
