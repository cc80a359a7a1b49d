"""Runs errands in the background, one per name at a time. Does not know what they are."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

NameT = TypeVar("NameT", bound=Hashable)


class Errands(Generic[NameT]):
    """What is asked for while an errand of its name is under way follows it, once, as it was asked for last."""

    def __init__(self) -> None:
        self._asked: dict[NameT, Callable[[], Awaitable[None]]] = {}
        self._tasks: dict[NameT, asyncio.Task[None]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def ask(self, name: NameT, errand: Callable[[], Awaitable[None]]) -> None:
        """Have an errand done; returns at once."""
        if self._closed:
            return
        self._asked[name] = errand
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._run(name), name=f"errand for {name}")

    async def done(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    async def aclose(self) -> None:
        """Break off what is under way and begin nothing any more."""
        self._closed = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _run(self, name: NameT) -> None:
        try:
            while (errand := self._asked.pop(name, None)) is not None:
                await self._one(name, errand)
        finally:
            self._tasks.pop(name, None)

    @staticmethod
    async def _one(name: NameT, errand: Callable[[], Awaitable[None]]) -> None:
        try:
            await errand()
        except Exception:
            log.exception("an errand for %s failed", name)
