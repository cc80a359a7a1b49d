"""The connection to one EventBroker: credentials, facts, and how long it has been away. Decides nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from headgate.api import ApiModel, EventBrokerSpec
from headgate.api.common import SecretRef
from headgate.api.eventbroker import BROKER_BLOCKS, credentials_field
from headgate.brokers.base import (
    Broker,
    BrokerError,
    BrokerFacts,
    Credentials,
    Driver,
    Refused,
    Traits,
    Unreachable,
    always,
)
from headgate.brokers.registry import driver_of
from headgate.core.estate import Declared
from headgate.kube.errors import Forbidden, KubeError, NotFound
from headgate.kube.values import Secret

LOGIN: Final = frozenset({"AuthenticationFailed", "CredentialsInvalid"})  # the credentials, likewise
TLS_FAILED: Final = "TLSFailed"
UNCONNECTED: Final = frozenset(
    {"ConnectFailed", "ConnectTimeout"}
)  # the addresses, however the broker calls them
DISCONNECTED: Final = "Disconnected"  # a connection broke; the next try tells why


class Secrets(Protocol):
    """Where credentials come from."""

    async def get_secret(self, namespace: str, name: str) -> Secret:
        """The content of one Secret by name."""
        ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no connection, and since when."""

    error: BrokerError
    since: datetime


class Link:
    """One EventBroker's connection. Made again when its declaration or the content of its Secrets changes."""

    def __init__(
        self,
        secrets: Secrets,
        clock: Callable[[], datetime],
        keep_secret: Callable[[bytes], None],
        meter: Callable[[Broker], Broker] = lambda broker: broker,
        drivers: Callable[[EventBrokerSpec], Driver] = driver_of,
        may_act: Callable[[], bool] = always,
    ) -> None:
        self._drivers = drivers
        self._may_act = may_act
        self._keep_secret = keep_secret
        self._meter = meter
        self._secrets = secrets
        self._clock = clock
        self._spec: EventBrokerSpec | None = None
        self._credentials: Credentials | None = None
        self.driver: Driver | None = None
        self.broker: Broker | None = None
        self.facts: BrokerFacts | None = None
        self.trouble: Trouble | None = None

    @property
    def ca(self) -> str:
        """Who signed the broker's certificate, for workers; empty where that is nobody of our own. Public."""
        return self._credentials.ca.decode(errors="replace") if self._credentials is not None else ""

    @property
    def traits(self) -> Traits:
        """What has to be known of the kind of broker; as of most while none was declared yet."""
        return Traits() if self.driver is None else self.driver.traits

    @property
    def up(self) -> bool:
        """Whether the broker answered when it was last asked."""
        return self.trouble is None and self.facts is not None

    async def refresh(self, declared: Declared[EventBrokerSpec], *, reread: bool) -> BrokerFacts:
        """Connect where needed and ask the broker who it is. Raises Unreachable or Refused and remembers it.

        `reread` looks whether the Secrets have changed; without it that is done only for a new declaration.
        """
        try:
            await self._connect(declared, reread=reread or self.trouble is not None)
            if self.broker is None:
                raise Unreachable("Unreachable", "not connected")
            self.facts = await self.broker.facts()
        except BrokerError as error:
            located = _located(declared.spec, error, self.driver)
            self.down(located)
            raise located from error
        self.trouble = None
        return self.facts

    def down(self, error: BrokerError) -> None:
        """Remember that the broker is away; the first time counts, and of errors that say the same the first."""
        before = self.trouble
        since = self._clock() if before is None else before.since
        if before is None or not _same(before.error, error):
            self.trouble = Trouble(error, since)

    async def aclose(self) -> None:
        """Let go of the connection."""
        if self.broker is not None:
            await self.broker.aclose()
        self.broker = None

    async def _connect(self, declared: Declared[EventBrokerSpec], *, reread: bool) -> None:
        credentials = self._credentials
        if credentials is None or reread or self._spec != declared.spec:
            credentials = await self._read_or_keep(declared)
        if self.broker is not None and self._spec == declared.spec and credentials == self._credentials:
            return
        await self.aclose()
        self.driver = self._drivers(declared.spec)
        self._spec, self._credentials = declared.spec, credentials
        self.broker = self._meter(self.driver.connect(declared.spec, credentials, self._may_act))

    async def _read_or_keep(self, declared: Declared[EventBrokerSpec]) -> Credentials:
        """The Secrets' content; while an EventBroker is going, the last one, as its Secret often goes first."""
        try:
            return await self._read(declared)
        except Refused:
            if declared.deleting and self._credentials is not None:
                return self._credentials
            raise

    async def _read(self, declared: Declared[EventBrokerSpec]) -> Credentials:
        block, connection = next(
            (b, c) for b in BROKER_BLOCKS if (c := getattr(declared.spec, b)) is not None
        )
        tls = connection.tls
        values = await self._secret(
            declared, f"{block}.{credentials_field(connection)}", connection.credentials_secret_ref
        )
        ca = await self._secret(declared, f"{block}.tls.caSecretRef", tls and tls.ca_secret_ref)
        client = await self._secret(declared, f"{block}.tls.clientSecretRef", tls and tls.client_secret_ref)
        for secret in (*values.values(), *client.values()):
            self._keep_secret(secret)
        return Credentials(values, _ca(ca), client)

    async def _secret(
        self, declared: Declared[EventBrokerSpec], field: str, ref: SecretRef | None
    ) -> Mapping[str, bytes]:
        if ref is None:
            return {}
        name = ref.name
        try:
            return (await self._secrets.get_secret(declared.ref.namespace, name)).data
        except NotFound as error:
            raise Refused(
                "SecretNotFound",
                f"spec.{field}: there is no Secret {name} in {declared.ref.namespace}; create it or correct the name",
            ) from error
        except Forbidden as error:
            raise Refused(
                "SecretForbidden",
                f"spec.{field}: the operator may not read Secret {name} in {declared.ref.namespace}; grant it get on that Secret",
            ) from error
        except KubeError as error:
            raise Unreachable(
                "SecretUnreadable", f"spec.{field}: Secret {name} cannot be read now"
            ) from error


def _same(known: BrokerError, error: BrokerError) -> bool:
    """Whether there is nothing new to tell: tries of one outage fail at one server or another, in one way or another."""
    if isinstance(error, Refused) or isinstance(known, Refused):
        return (type(known), known.reason) == (type(error), error.reason)
    return known.reason != DISCONNECTED


def _located(spec: EventBrokerSpec, error: BrokerError, driver: Driver | None) -> BrokerError:
    """The error with the field in front that somebody has to look at."""
    block = next((name for name in BROKER_BLOCKS if getattr(spec, name) is not None), "")
    field = _field(getattr(spec, block, None), error.reason, driver)
    if not field or f"spec.{block}." in str(error):
        return error
    kind = Refused if isinstance(error, Refused) else Unreachable
    return kind(error.reason, f"spec.{block}.{field}: {error}")


def _field(connection: ApiModel | None, reason: str, driver: Driver | None) -> str:
    """Of a connection, by what is wrong with it."""
    if connection is not None and reason in LOGIN:
        return credentials_field(connection)
    if reason in UNCONNECTED and driver is not None:
        return driver.addresses
    return "tls" if reason == TLS_FAILED else ""


def _ca(secret: Mapping[str, bytes]) -> bytes:
    return secret.get("ca.crt") or secret.get("tls.crt") or b""
