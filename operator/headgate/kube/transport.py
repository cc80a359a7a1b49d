"""One pooled, authenticated way to the API server: requests out, JSON or a typed error back. Knows no kinds."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from headgate.kube.config import KubeConfig
from headgate.kube.errors import Fenced, Unavailable, Unknown, error_of

if TYPE_CHECKING:
    from pathlib import Path

JSON_PATCH: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json"
CONNECTIONS: Final = 24
DEADLINE: Final = 10.0  # seconds
TOKEN_AGE: Final = 30.0  # seconds after which a mounted token is looked at again

Meter = Callable[[str, int, float], None]
"""Told of every finished request: verb, HTTP status (0 where none came), seconds."""


def unmetered(verb: str, code: int, seconds: float) -> None:
    """Count nothing."""
    del verb, code, seconds


class Identity:
    """Says on every request who we are and whom we expect; a mounted token is read again as it ages."""

    def __init__(self, config: KubeConfig) -> None:
        self._file: Path | None = config.token_file
        self._token = config.token
        self._server_name = config.server_name or None
        self._read_at = float("-inf")

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        token = self.token(asyncio.get_running_loop().time())
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        request.server_hostname = self._server_name
        response = await handler(request)
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._read_at = float("-inf")
        return response

    def token(self, now: float) -> str:
        """The token as of now."""
        if self._file is not None and now - self._read_at > TOKEN_AGE:
            self._token = self._file.read_text().strip()
            self._read_at = now
        return self._token


def open_session(
    config: KubeConfig, *, limit: int, response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse
) -> aiohttp.ClientSession:
    """A session that is signed in; `limit` connections at most, 0 for any number (watches hold theirs)."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=config.tls(), keepalive_timeout=60),
        middlewares=(Identity(config),),
        headers={"User-Agent": "headgate"},
        response_class=response_class,
        read_bufsize=2**18,
    )


class Guarded(aiohttp.BytesPayload):
    """A body that goes out only while this process may write.

    Asked at the last moment: a process can be stopped between any two turns of its loop and go on when another one has
    taken its place. From the question to the send there is no such turn, and the headers leave together with the body.
    """

    def __init__(self, value: bytes, content_type: str, may_write: Callable[[], bool]) -> None:
        super().__init__(value, content_type=content_type)
        self._may_write = may_write
        self.withheld = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send it, or nothing."""
        if not self._may_write():
            self.withheld = True
            raise OSError(errno.EPERM, "the Lease is not held")
        await super().write_with_length(writer, content_length)


class Transport:
    """Sends one request at a time per call, never twice, each within the deadline."""

    def __init__(self, config: KubeConfig, *, meter: Meter = unmetered, deadline: float = DEADLINE) -> None:
        self.config = config
        self.may_write: Callable[[], bool] = lambda: True
        self._meter = meter
        self._timeout = aiohttp.ClientTimeout(total=deadline, sock_connect=min(deadline, 5.0))
        self._session: aiohttp.ClientSession | None = None
        self._watching: aiohttp.ClientSession | None = (
            None  # each watch holds a connection for as long as it lasts
        )

    async def aclose(self) -> None:
        """Close the pool."""
        for session in filter(None, (self._session, self._watching)):
            await session.close()
        self._session = self._watching = None

    async def get(self, path: str, *, accept: str = JSON, **query: str) -> dict[str, Any]:
        """Read one path."""
        return await self._send("GET", path, query=query, headers={"Accept": accept})

    async def follow(
        self, path: str, *, silence: float, accept: str = JSON, **query: str
    ) -> AsyncIterator[dict[str, Any]]:
        """What a watch brings, until the server ends it; silent for too long counts as broken."""
        if self._watching is None:
            self._watching = open_session(self.config, limit=0)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeout.sock_connect, sock_read=silence
        )
        with _told(f"GET {path}", f"for {silence:g}s"):
            async with self._watching.get(
                self._url(path, query), headers={"Accept": accept}, timeout=timeout
            ) as response:
                if not response.ok:
                    _answer("GET", path, response, await response.read())
                async for line in response.content:
                    yield json.loads(line)

    async def write(
        self,
        verb: str,
        path: str,
        body: object,
        *,
        content_type: str = JSON,
        fenced: bool = True,
        **query: str,
    ) -> dict[str, Any]:
        """Change something; refused here while another process may be the one that writes."""
        refusal = f"{verb} {path} was not sent: the Lease is not held"
        may_write = self.may_write if fenced else lambda: True
        if not may_write():  # known at once, it need not cost a connection
            raise Fenced(refusal)
        data = Guarded(
            json.dumps(body, separators=(",", ":")).encode(),
            content_type,
            may_write,
        )
        try:
            return await self._send(verb, path, data=data, query=query, headers={})
        except Unknown as error:
            if data.withheld:
                raise Fenced(refusal) from error
            raise

    async def _send(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        data: Guarded | None = None,
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = open_session(self.config, limit=CONNECTIONS)
        loop = asyncio.get_running_loop()
        start, code = loop.time(), 0
        url = self._url(path, query)
        try:
            with _told(f"{verb} {path}", f"within {self._timeout.total:g}s"):
                async with self._session.request(
                    verb, url, data=data, headers=headers, timeout=self._timeout
                ) as response:
                    code = response.status
                    return _answer(verb, path, response, await response.read())
        finally:
            self._meter(verb, code, loop.time() - start)

    def _url(self, path: str, query: Mapping[str, str]) -> URL:
        return URL(self.config.server + path, encoded=True).with_query(query)


@contextmanager
def _told(what: str, limit: str) -> Iterator[None]:
    """Whatever goes wrong between here and the API server, as errors of this package."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise Unavailable(f"{what}: the API server cannot be reached ({error.os_error})") from error
    except TimeoutError as error:
        raise Unknown(f"{what}: no answer {limit}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unknown(f"{what}: the connection broke ({type(error).__name__})") from error


def _answer(verb: str, path: str, response: aiohttp.ClientResponse, raw: bytes) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(raw)
    except ValueError:
        body = {}
    if response.ok and body:
        return body
    said = body.get("message") or response.reason or "no explanation"
    code = response.status
    if response.ok:  # but no JSON: that is something in between talking
        code = HTTPStatus.BAD_GATEWAY
    elif code == HTTPStatus.UNPROCESSABLE_ENTITY and _is_another_object(body):
        code = HTTPStatus.CONFLICT
    raise error_of(code, f"{verb} {path}: {said}", response.headers.get("Retry-After"))


def _is_another_object(body: Mapping[str, Any]) -> bool:
    """The two ways to say so: a uid in a merge patch is "immutable", a failed test in a JSON patch has no causes."""
    causes = (body.get("details") or {}).get("causes") or ()
    return not causes or any(cause.get("field") == "metadata.uid" for cause in causes)
