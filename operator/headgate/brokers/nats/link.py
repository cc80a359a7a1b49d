"""One connection to a NATS cluster: made on first use, never kept half alive, every error typed. Knows no JetStream.

The client library would hold back what was published while it reconnects and send it later, when the world may
have changed. So a lost connection is given up, everything that waits on it fails at once, and the next call
connects anew.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from headgate.api import NatsConnection
from headgate.brokers.base import BrokerError, Credentials, Refused, Unknown, Unreachable
from headgate.brokers.nats.options import options

_AUTH = ("authorization violation", "authentication", "maximum account")
_TOO_LATE = "timeout"  # the server did not wait for the login; that says nothing about the login
_NO_RESPONDERS = "503"


class PlainTextError(errors.Error):
    """The server offers no encryption although it is demanded."""


class Sturdy(Client):
    """The library takes every block of headers for well-formed; anybody may publish one that is not.

    It would end the connection of whoever is sent it, again and again. Such a message counts as one without headers.
    """

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None


class Link:
    """A connection that is there when it is needed."""

    def __init__(
        self,
        spec: NatsConnection,
        credentials: Credentials,
        *,
        timeout: float,
        name: str,
        apart_from: "Link | None" = None,
    ) -> None:
        self._spec, self._options = spec, options(spec, credentials)
        self._apart_from = apart_from  # whose server this one keeps away from
        self._timeout, self._name = timeout, name
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._known: tuple[str, ...] = ()  # servers that the cluster told us about
        self._inbox = ""
        self._waiting: dict[str, tuple[str, asyncio.Future[Msg]]] = {}  # reply token -> subject, answer
        self._count = 0
        self._closed = False
        self._gone = asyncio.Event()

    async def client(self) -> Client:
        """The live connection."""
        if self._client is not None and self._client.is_connected:
            return self._client
        async with self._lock:
            if self._closed:
                raise Unreachable("Disconnected", "the connection was closed by us")
            if self._client is None or not self._client.is_connected:
                self._client = await self._connect()
            return self._client

    @property
    def connection(self) -> Client | None:
        """The live connection, if there is one."""
        return self._client if self._client is not None and self._client.is_connected else None

    @property
    def server(self) -> Mapping[str, Any]:
        """What the connected server said about itself."""
        return self._client._server_info if self._client else {}  # noqa: SLF001  (the library shows only parts of it)

    @property
    def servers(self) -> int:
        """How many servers of the cluster are known by address."""
        return len(self.server.get("connect_urls") or ())

    def scrub(self, text: str) -> str:
        """The text without anything secret."""
        return self._options.scrub(text)

    async def request(self, subject: str, payload: bytes, limit: float) -> Msg:
        """Ask and wait. Unknown when the question was sent and no answer came; Unreachable when it was not sent."""
        client = await self.client()
        self._count += 1
        token = str(self._count)
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (subject, answer)
        try:
            await client.publish(subject, payload, reply=f"{self._inbox}.{token}")
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            raise Unknown(
                "TimedOut", f"no answer on {subject} within {limit:g}s; it may have been done"
            ) from None
        except (errors.Error, OSError) as error:
            raise Unknown(
                "Disconnected", self.scrub(f"the connection failed during a request: {error}")
            ) from None
        finally:
            self._waiting.pop(token, None)

    async def lost(self) -> None:
        """Return when there is no connection."""
        while self._client is not None and self._client.is_connected:
            self._gone.clear()
            await self._gone.wait()

    async def part(self) -> None:
        """Give up a connection to the very server that it was to keep away from; the next call connects elsewhere."""
        client = self.connection
        if client is not None and self._together(client):
            await _quietly_closed(client)

    async def aclose(self) -> None:
        """Let go; never raises."""
        self._closed = True
        if self._client is not None:
            await _quietly_closed(self._client)
            self._client = None

    async def _connect(self) -> Client:
        failure: BrokerError | None = None
        try:
            async with asyncio.timeout(self._timeout):
                for address in self._addresses():
                    try:
                        return await self._connect_to(address)
                    except Refused:
                        raise
                    except BrokerError as error:
                        failure = error
        except TimeoutError:
            raise Unreachable("ConnectTimeout", f"no connection within {self._timeout:g}s") from None
        raise failure or Unreachable("ConnectFailed", "no server is declared")

    def _addresses(self) -> list[str]:
        """What was declared, in any order, then what servers told us."""
        declared = list(self._spec.servers)
        random.shuffle(declared)
        told = (*self._known, *(self._apart_from._known if self._apart_from else ()))  # noqa: SLF001  (one of our own)
        return list(dict.fromkeys((*declared, *told)))

    def _together(self, client: Client) -> bool:
        other = self._apart_from.connection if self._apart_from else None
        return other is not None and _server_of(other) == _server_of(client)

    def _keep_apart(self, client: Client, address: str) -> None:
        if self._together(client):
            where = address.rpartition("@")[2]
            raise Unreachable("ConnectFailed", f"{where} is the server to keep away from")

    async def _connect_to(self, address: str) -> Client:
        client, seen = Sturdy(), list[Exception]()

        async def on_error(error: Exception) -> None:
            seen.append(error)
            self._on_error(error)

        async def on_close() -> None:
            self._on_close(client)

        try:
            await client.connect(
                [address],
                name=self._name,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=self._timeout,  # type: ignore[arg-type]  # whole seconds only in the annotation
                ping_interval=10,
                inbox_prefix=b"_INBOX",
                error_cb=on_error,
                closed_cb=on_close,
                **self._dialled(client, address),
            )
            self._check(client)
            self._keep_apart(client, address)
            await self._listen(client)
        except asyncio.CancelledError:
            await _quietly_closed(client)
            raise
        except Exception as error:  # noqa: BLE001  (the library lets through whatever the transport raised)
            cause = seen[-1] if isinstance(error, errors.NoServersError) and seen else error
            await _quietly_closed(client)
            raise self._typed(client, address, cause) from None
        return client

    def _dialled(self, client: Client, address: str) -> dict[str, Any]:
        found: dict[str, Any] = self._options.login(lambda: self._check(client))
        if self._options.tls is not None:
            found["tls"] = self._options.tls
            if (
                address in self._known
            ):  # told to us as a bare address; the certificate names what was declared
                found["tls_hostname"] = urlsplit(self._spec.servers[0]).hostname
        return found

    def _check(self, client: Client) -> None:
        """Before anything secret is sent: an encrypted connection was asked for, so it has to be one."""
        url = client._current_server.uri.scheme if client._current_server else ""  # noqa: SLF001  (nothing public says it)
        if self._options.encrypted and url != "wss" and not client._server_info.get("tls_required"):  # noqa: SLF001  (as above)
            raise PlainTextError

    async def _listen(self, client: Client) -> None:
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._on_answer)
        await client.flush(timeout=max(1, int(self._timeout)))
        scheme = urlsplit(self._spec.servers[0]).scheme
        self._known = tuple(f"{scheme}://{url}" for url in client._server_info.get("connect_urls") or ())  # noqa: SLF001  (discovered ones are shown only when others)

    async def _on_answer(self, msg: Msg) -> None:
        _, answer = self._waiting.get(msg.subject.rpartition(".")[2], ("", None))
        if answer is None or answer.done():
            return
        if msg.headers and msg.headers.get("Status") == _NO_RESPONDERS and not msg.data:
            answer.set_exception(
                Unreachable("NoResponders", "nobody answers there: is JetStream up in this domain?")
            )
        else:
            answer.set_result(msg)

    def _on_error(self, error: Exception) -> None:
        """The server names the subject that was not permitted; whoever asked there need not wait for the deadline."""
        text = str(error).lower()
        if "permissions violation" not in text:
            return
        for subject, answer in list(self._waiting.values()):
            if f'"{subject.lower()}"' in text and not answer.done():
                answer.set_exception(
                    Refused("PermissionDenied", f"the credentials may not publish to {subject}")
                )

    def _on_close(self, client: Client) -> None:
        if client is not self._client:
            return
        self._gone.set()
        for _, answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(
                    Unknown("Disconnected", "the connection was lost; it may have been done")
                )

    def _typed(self, client: Client, address: str, error: Exception) -> BrokerError:
        info = client._server_info  # noqa: SLF001  (nothing public says it)
        where = address.rpartition("@")[2]
        text = str(error).lower()
        if isinstance(error, Unreachable):
            return error
        if isinstance(error, PlainTextError):
            return Refused(
                "TLSFailed", f"{where} offers no encryption although it is demanded; nothing was sent"
            )
        if isinstance(error, ssl.SSLError) or (info.get("tls_verify") and not _is_auth(text)):
            return Refused(
                "TLSFailed", self.scrub(f"no trust between us and {where}: check the TLS Secrets ({error})")
            )
        if isinstance(error, errors.AuthorizationError) or _is_auth(text):
            return Refused(
                "AuthenticationFailed", f"{where} does not accept the credentials; put the right ones in"
            )
        what = str(error) or type(error).__name__
        return Unreachable("ConnectFailed", self.scrub(f"no connection to {where}: {what}"))


def _server_of(client: Client) -> str:
    return str(client._server_info.get("server_id"))  # noqa: SLF001  (the library shows only parts of it)


def _is_auth(text: str) -> bool:
    return _TOO_LATE not in text and any(word in text for word in _AUTH)


async def _quietly_closed(client: Client) -> None:
    try:
        async with asyncio.timeout(2):
            await client.close()
    except Exception:  # noqa: BLE001, S110  (what is thrown away anyway has nothing to tell)
        pass
