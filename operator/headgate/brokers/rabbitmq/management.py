"""RabbitMQ's management API: one virtual host over HTTP, every request paced and with a deadline. Decides nothing, retries nothing."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from headgate.brokers.base import BrokerError, Credentials, Refused, Unknown, Unreachable, always
from headgate.brokers.pace import Pace
from headgate.brokers.rabbitmq.options import Connection
from headgate.brokers.rabbitmq.refusals import error_of
from headgate.brokers.tls import tls_context

Json = Any  # what the server sends is as deep as it likes

LIVE: Final = {"disable_stats": "true", "enable_queue_totals": "true"}  # without what is collected every 5 s
_CHANGES: Final = frozenset({"PUT", "POST", "DELETE"})
_GONE: Final = 404
_INVALID: Final = "CredentialsInvalid"
_WATCH: Final = 1.0  # seconds between looks whether the server is still there


class Management:
    """One virtual host. Keeps connections open between requests."""

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials,
        *,
        timeout: float,
        may_act: Callable[[], bool] = always,
    ) -> None:
        self._base = f"{connection.management_url.rstrip('/')}/api"
        self.virtual_host = connection.virtual_host
        self._timeout, self._may_act = timeout, may_act
        self._login = _login(credentials)
        self._tls = tls_context(credentials) or True  # True: whom the image trusts
        self._session: aiohttp.ClientSession | None = None
        self._broken = asyncio.Event()
        self.now = datetime.fromtimestamp(0, UTC)  # by the clock of the server, as its last answer told

    def path(self, resource: str, *names: str) -> str:
        """Where a resource of the virtual host is found."""
        return "/".join(
            (resource, quote(self.virtual_host, safe=""), *(quote(name, safe="") for name in names))
        )

    @staticmethod
    def quoted(part: str) -> str:
        """One part of a path: what the server wrote quoted is quoted once more."""
        return quote(part, safe="")

    async def get(self, lane: Pace, path: str, params: Mapping[str, str] | None = None) -> Json:
        """What is there; absent is an error."""
        return await self._ask(lane, "GET", path, params=params)

    async def find(self, lane: Pace, path: str, params: Mapping[str, str] | None = None) -> Json | None:
        """What is there, or None."""
        return await self._ask(lane, "GET", path, params=params, absent=True)

    async def put(self, lane: Pace, path: str, body: Json) -> None:
        """Make or replace; done twice it is done once."""
        await self._ask(lane, "PUT", path, body=body)

    async def post(self, lane: Pace, path: str, body: Json) -> Json:
        """Add, or have something done."""
        return await self._ask(lane, "POST", path, body=body)

    async def delete(self, lane: Pace, path: str) -> None:
        """Take away; what is gone already is a success."""
        await self._ask(lane, "DELETE", path, absent=True)

    async def lost(self, lane: Pace) -> None:
        """Return when the server does not answer any more; at once when nothing was ever asked."""
        if self._session is None:
            return
        while not self._broken.is_set():
            try:
                async with asyncio.timeout(_WATCH):
                    await self._broken.wait()
            except TimeoutError:
                try:
                    await self._ask(lane, "GET", "whoami")
                except Unreachable:
                    return
                except BrokerError:
                    continue  # it answers: what it says is told to whoever asks for something

    async def aclose(self) -> None:
        """Let go of all connections."""
        self._broken.set()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self,
        lane: Pace,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json = None,
        absent: bool = False,
    ) -> Json:
        async with lane.slot():
            if method in _CHANGES and not self._may_act():
                raise Unreachable(
                    "LeaseLost", f"another operator may be acting; {method} {path} was not sent"
                )
            status, answer = await self._answer(method, path, params, body)
        self._broken.clear()
        if status == _GONE and absent and "vhost_not_found" not in str(answer):
            return None
        if status >= 400:  # noqa: PLR2004  (HTTP)
            raise error_of(status, answer, path)
        return answer

    async def _answer(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json
    ) -> tuple[int, Json]:
        url = f"{self._base}/{path}"
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._open().request(
                    method,
                    _verbatim(url),
                    params=params,
                    json=body,
                    allow_redirects=False,
                ) as response,
            ):
                text = await response.text()
                if told := response.headers.get("Date"):
                    self.now = max(self.now, parsedate_to_datetime(told))
                return response.status, _parsed(text)
        except TimeoutError:
            self._broken.set()
            raise Unknown("TimedOut", f"{method} {path}: no answer in time; it may have been done") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise Refused(
                "TLSFailed", f"no trust between us and the server: {error.certificate_error}"
            ) from None
        except aiohttp.ClientSSLError as error:
            raise Refused(
                "TLSFailed", f"no encrypted connection: check address and TLS Secrets ({error})"
            ) from None
        except aiohttp.ClientConnectorError as error:
            self._broken.set()
            raise Unreachable("ConnectFailed", f"no connection to {error.host}:{error.port}") from None
        except aiohttp.InvalidURL:
            raise Refused(
                "CredentialsInvalid", f"managementURL {self._base} is no address; correct it"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            if _is_about_trust(error):
                raise Refused(
                    "TLSFailed",
                    "the server does not trust us: name a client certificate that it takes in tls",
                ) from None
            self._broken.set()
            what = type(error).__name__
            raise Unknown(
                "Disconnected", f"{method} {path}: the connection broke ({what}); it may have been done"
            ) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._login,
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


def _is_about_trust(error: BaseException | None) -> bool:
    """A server that misses a certificate says so only once we speak, in the midst of the first request."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper():
            return True
        error = error.__cause__ or error.__context__
    return False


def _verbatim(url: str) -> URL:
    """Names are quoted already; quoted once more they would be others."""
    return URL(url, encoded=True)


def _parsed(text: str) -> Json:
    """An answer as JSON; what a proxy says instead stays text."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _login(credentials: Credentials) -> Mapping[str, str]:
    values = credentials.values
    if not values:
        return {}
    try:
        user, password = values["username"].decode().strip(), values["password"].decode().rstrip("\r\n")
    except (KeyError, UnicodeDecodeError):
        raise Refused(_INVALID, "the Secret lacks text under username and password; put both in") from None
    return {"Authorization": aiohttp.encode_basic_auth(user, password, encoding="utf-8")}
