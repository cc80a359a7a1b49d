"""One AMQP connection to a virtual host, made on first use and again after it broke. Decides nothing, retries nothing.

Messages go this way alone; everything that is declared goes over the management API.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import exceptions as wire
from pamqp.exceptions import AMQPInternalError

from headgate.brokers.base import Credentials, Refused, Unavailable, Unknown, Unreachable
from headgate.brokers.rabbitmq.options import Connection
from headgate.brokers.tls import tls_context

_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_GRACE: Final = 2.0  # seconds for an orderly goodbye


class Amqp:
    """One virtual host, for messages."""

    def __init__(
        self, connection: Connection, credentials: Credentials, *, timeout: float, name: str
    ) -> None:
        self.timeout, self._name = timeout, name
        self._host, self._port, self._encrypted = _address(connection.amqp_url)
        self._virtual_host = connection.virtual_host
        self._user, self._password = _login(credentials)
        self._tls = (
            (tls_context(credentials) or ssl.create_default_context()) if self._encrypted else None
        )  # the second one: whom the image trusts
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def channel(self, what: str) -> AsyncIterator[AbstractChannel]:
        """A channel of its own for as long as the block takes; what goes wrong in it is told about `what`."""
        with _told(what):
            connection = await self._open()
            try:
                async with asyncio.timeout(self.timeout):
                    channel = await _opened(connection)
                try:
                    yield channel
                finally:
                    with suppress(wire.AMQPError, OSError, TimeoutError):
                        async with asyncio.timeout(_GRACE):
                            await channel.close()
            except TimeoutError:  # who knows what this server is still busy with
                await self.aclose()
                raise

    async def aclose(self) -> None:
        """Say goodbye; whatever was taken and not settled goes back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(wire.AMQPError, OSError, TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await connection.close()

    async def _open(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.connected.is_set():
                await self.aclose()  # it broke: the client calls closed only what we close
            if self._connection is None:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> AbstractConnection:
        try:
            async with asyncio.timeout(self.timeout):
                return await aio_pika.connect(
                    host=self._host,
                    port=self._port,
                    login=self._user,
                    password=self._password,
                    virtualhost=self._virtual_host,
                    ssl=self._encrypted,
                    ssl_context=self._tls,
                    client_properties={"connection_name": self._name},
                )
        except (wire.AuthenticationError, wire.ProbableAuthenticationError):
            raise Refused(
                "AuthenticationFailed", "AMQP does not accept username and password; put the right ones in"
            ) from None
        except (
            wire.ConnectionNotAllowed,
            AMQPInternalError,
        ):  # the second one: not what the client waited for
            raise Refused(
                "VirtualHostMissing",
                f"the virtual host {self._virtual_host} is not there or closed to this user; make it, or give the user "
                "permissions in it",
            ) from None
        except (wire.AMQPError, OSError, TimeoutError) as error:
            if _is_about_trust(error):
                raise Refused(
                    "TLSFailed", "no trust between us and the server: check amqpURL and the TLS Secrets"
                ) from None
            raise Unreachable("ConnectFailed", f"no AMQP connection to {self._host}:{self._port}") from None


async def _opened(connection: AbstractConnection) -> AbstractChannel:
    try:
        return await connection.channel(on_return_raises=True)
    except RuntimeError as error:  # what the client has to say of a connection that broke just now
        raise ConnectionError(str(error)) from error


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of the client in the words of the seam."""
    try:
        yield
    except wire.ChannelAccessRefused:
        raise Refused(
            "PermissionDenied",
            f"{what}: the user lacks the permission to configure, write or read it; extend the user's permissions in this "
            "virtual host",
        ) from None
    except wire.ChannelNotFoundEntity:
        raise Refused("NotFound", f"{what} is not in the broker; has it been made yet?") from None
    except wire.ChannelLockedResource:
        raise Unavailable(
            "TemporarilyUnavailable", f"{what}: somebody else goes through it; try again when they are done"
        ) from None
    except TimeoutError:
        raise Unknown("TimedOut", f"{what}: no answer in time; it may have been done") from None
    except (wire.AMQPError, aio_pika.exceptions.ChannelInvalidStateError, OSError) as error:
        kind = type(error).__name__
        raise Unknown(
            "Disconnected", f"{what}: the connection broke ({kind}); it may have been done"
        ) from None


def _address(url: str) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Refused("CredentialsInvalid", "amqpURL is no address like amqp://host:5672; correct it")
    return parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "amqps"


def _login(credentials: Credentials) -> tuple[str, str]:
    values = credentials.values
    try:
        return values["username"].decode().strip(), values["password"].decode().rstrip("\r\n")
    except (KeyError, UnicodeDecodeError):
        raise Refused(
            "CredentialsInvalid", "the Secret lacks text under username and password; put both in"
        ) from None


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
