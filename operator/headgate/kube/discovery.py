"""Which plural a kind has, asked once per API version. Knows no kind by itself."""

import asyncio
from typing import Final

from headgate.kube.errors import NotFound
from headgate.kube.paths import group_root
from headgate.kube.transport import Transport

REFRESH: Final = 30.0  # seconds before a kind that was not there is looked for again


class Discovery:
    """The API server's own table of kinds, remembered."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._plurals: dict[str, dict[str, str]] = {}
        self._asked: dict[str, float] = {}

    async def plural(self, api_version: str, kind: str) -> str:
        """The plural of a kind; NotFound where the cluster does not have it."""
        found = (await self._kinds(api_version, kind)).get(kind)
        if found is None:
            raise NotFound(f"the cluster has no kind {kind} in {api_version}")
        return found

    async def _kinds(self, api_version: str, wanted: str) -> dict[str, str]:
        known = self._plurals.get(api_version, {})
        now = asyncio.get_running_loop().time()
        if wanted in known or now - self._asked.get(api_version, float("-inf")) < REFRESH:
            return known
        try:
            answer = await self._transport.get(group_root(api_version))
        except NotFound:
            answer = {}
        self._asked[api_version] = now
        plurals = {
            entry["kind"]: entry["name"] for entry in answer.get("resources", ()) if "/" not in entry["name"]
        }
        self._plurals[api_version] = plurals
        return plurals
