"""Which versions of objects are known already, so that a watch need not tell them. Does not know who listens.

Every write of our own comes back on the watch, and what was listed before a watch opens is listed again by it. A
version of an object is one state of one object in the whole cluster, so hearing of it a second time is no news.
"""

import re
from collections.abc import AsyncIterator
from typing import Any, Final

LIMIT: Final = (
    20_000  # versions that wait for their echo; one that is forgotten is told twice, which does no harm
)
_VERSION: Final = re.compile(rb'"resourceVersion":"(\d+)"')
_TOLD: Final = (b'{"type":"MODIFIED"', b'{"type":"ADDED"')


class Known:
    """Versions that whoever listens has taken in by other ways."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._versions: dict[str, None] = {}

    def add(self, body: Any) -> None:  # noqa: ANN401  (an object as the API server has it)
        """An object is known as it is here."""
        self._versions[body["metadata"]["resourceVersion"]] = None
        if len(self._versions) > self._limit:
            del self._versions[next(iter(self._versions))]

    def news(self, lines: bytes) -> bytes:
        """Whole lines of a watch without those that tell nothing new."""
        if not self._versions:
            return lines
        return b"".join(line for line in lines.splitlines(keepends=True) if not self._repeats(line))

    def listed(self, body: Any) -> Any:  # noqa: ANN401  (as above)
        """A list without the items that tell nothing new."""
        if isinstance(body, dict) and isinstance(body.get("items"), list):
            body["items"] = [item for item in body["items"] if not self._take(_version(item))]
        return body

    async def sieve(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A watch's body without what tells nothing new."""
        rest = b""
        async for chunk in chunks:
            lines, end, rest = (rest + chunk).rpartition(b"\n")
            if news := self.news(lines + end):
                yield news
        # What has no end was cut off on the way: half an event is none, and the next watch tells it whole.

    def _repeats(self, line: bytes) -> bool:
        """Only where exactly one version stands there: a label may be called like the field."""
        found = _VERSION.findall(line) if line.startswith(_TOLD) else ()
        return len(found) == 1 and self._take(found[0].decode())

    def _take(self, version: str) -> bool:
        """Each is repeated once; a version that comes yet again comes with a fresh list, and may be told."""
        if version not in self._versions:
            return False
        del self._versions[version]
        return True


def _version(item: Any) -> str:  # noqa: ANN401  (as above)
    return str((item.get("metadata") or {}).get("resourceVersion", ""))
