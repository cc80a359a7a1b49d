"""When each watch last brought anything, taken where its bytes are consumed. Does not know who watches.

The API server sends a bookmark on every watch about once a minute, also when nothing happens. A watch whose reader
has taken nothing in for much longer is dead, be it the connection, the server, or the reader itself.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import aiohttp

from headgate.kube.known import Known

Stream = str
"""The path of a watched collection, e.g. /apis/headgate.dev/v1alpha1/eventtopics."""


class Pulse:
    """The last sign of life of every watch; `now` never runs backwards."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._beats: dict[Stream, float] = {}
        self.opened: Callable[[Stream], None] = lambda _: None  # told when a watch follows a fresh list
        self._listed: set[Stream] = set()

    def expect(self, stream: Stream) -> None:
        """From now on this stream has to show life."""
        self._beats.setdefault(stream, self._now())

    def forget(self, stream: Stream) -> None:
        """Nobody watches this any more."""
        self._beats.pop(stream, None)
        self._listed.discard(stream)

    def beat(self, stream: Stream) -> None:
        """Something arrived and was taken in."""
        if stream in self._beats:
            self._beats[stream] = self._now()

    def answered(self, stream: Stream, *, watch: bool) -> None:
        """A list or a watch of this collection began to be answered."""
        self.beat(stream)
        if not watch:
            self._listed.add(stream)
        elif stream in self._listed:
            self._listed.discard(stream)
            self.opened(stream)

    def ages(self) -> dict[Stream, float]:
        """Seconds since the last sign of life of each expected stream."""
        now = self._now()
        return {stream: now - at for stream, at in self._beats.items()}

    def response_class(self, known: Known | None = None) -> type[aiohttp.ClientResponse]:
        """What a session needs so that its watches are felt here, and bring only what is not known."""
        pulse, heard = self, known or Known()

        class Felt(aiohttp.ClientResponse):
            async def start(self, connection: "aiohttp.connector.Connection") -> aiohttp.ClientResponse:
                await super().start(connection)
                if self.ok:
                    watch = self.url.query.get("watch") == "true"
                    pulse.answered(self.url.path, watch=watch)
                    if watch:
                        felt = _Felt(self.content, lambda: pulse.beat(self.url.path), heard)
                        self.content = cast("aiohttp.StreamReader", felt)
                return self

            async def json(self, **how: Any) -> Any:  # noqa: ANN401  (as the library has it)
                return heard.listed(await super().json(**how))

        return Felt


class _Felt:
    """A body that tells of every chunk that is taken from it, without what is known already."""

    def __init__(self, content: aiohttp.StreamReader, beat: Callable[[], None], known: Known) -> None:
        self._content = content
        self._beat = beat
        self._known = known

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever the original has)
        return getattr(self._content, name)

    def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        return self._known.sieve(self._chunks(size))

    async def _chunks(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._content.iter_chunked(size):
            self._beat()
            yield chunk
