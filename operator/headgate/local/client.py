"""The few calls to an API server that the local cluster itself makes. Knows paths and JSON, no kinds."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import aiohttp

from headgate.local.errors import LocalError
from headgate.local.kubeconfig import Access

Json = dict[str, Any]  # Any: objects of the Kubernetes API as they come
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(LocalError):
    """The API server refused; `status` is its HTTP status, `reason` its word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.status = status


class Client:
    """One identity on one API server, over one pool of connections."""

    def __init__(self, access: Access, *, user_agent: str = "headgate-local") -> None:
        self.access = access
        trusted = ssl.create_default_context(cadata=access.authority.decode())
        self._session = aiohttp.ClientSession(
            access.url,
            connector=aiohttp.TCPConnector(ssl=trusted, limit=0),
            headers={"Authorization": f"Bearer {access.token}", "User-Agent": user_agent},
            timeout=aiohttp.ClientTimeout(total=30),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections, watches too."""
        await self._session.close()

    async def get(self, path: str, **query: str) -> Json:
        """Read one object or a list."""
        return await self._call("GET", path, query=query)

    async def get_text(self, path: str) -> str:
        """Read something that is not JSON, such as /readyz or /metrics."""
        async with self._session.get(path) as response:
            text = await response.text()
            if response.status >= 300:  # noqa: PLR2004  (what HTTP calls a success ends here)
                raise ApiError(response.status, "NotOk", text[:500])
            return text

    async def post(self, path: str, body: Json) -> Json:
        """Create."""
        return await self._call("POST", path, body=body)

    async def patch(self, path: str, body: Json, *, kind: str = MERGE, **query: str) -> Json:
        """Change; `kind` is the media type of the patch."""
        return await self._call("PATCH", path, body=body, content_type=kind, query=query)

    async def apply(self, path: str, body: Json) -> Json:
        """Make the object be as declared, by server-side apply."""
        return await self.patch(path, body, kind=APPLY, fieldManager="headgate-local", force="true")

    async def delete(self, path: str, body: Json | None = None) -> Json:
        """Delete; `body` are DeleteOptions."""
        return await self._call("DELETE", path, body=body)

    async def watch(self, path: str, resource_version: str, **query: str) -> AsyncIterator[Json]:
        """Events after a version, until the server ends the stream; a bookmark is an event too."""
        params = {"watch": "1", "resourceVersion": resource_version, "allowWatchBookmarks": "true", **query}
        quiet = aiohttp.ClientTimeout(total=None, sock_read=None)
        async with self._session.get(path, params=params, timeout=quiet, read_bufsize=2**20) as response:
            await _raise_for(response)
            while line := await response.content.readline():
                yield json.loads(line)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, params=query, data=data, headers=headers) as response:
            await _raise_for(response)
            answer: Json = await response.json()
            return answer


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    if response.status < 300:  # noqa: PLR2004  (what HTTP calls a success ends here)
        return
    text = await response.text()
    try:
        status = json.loads(text)
        reason, message = str(status.get("reason", response.reason)), str(status.get("message", text))
    except (ValueError, AttributeError):
        reason, message = str(response.reason), text[:500]
    raise ApiError(response.status, reason, f"{response.method} {response.url.path}: {message}")
