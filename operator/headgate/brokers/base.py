"""The seam to a broker: one Protocol, one error tree. Knows no vendor library and nothing of Kubernetes.

The error tree; a method raises nothing else:

    BrokerError
    ├── Unreachable    may work later: retried with backoff, the last known state stays
    │   ├── Unknown    a request timed out: it may have been done; read back before deciding
    │   └── Unavailable    this one object cannot be read or changed now; the rest of the broker answers
    │       └── Ongoing    a change of this one was begun and takes its time; people are told
    └── Refused        will not work until somebody edits something; `reason` is stable
        └── Blocked    it is not the declaration that has to be edited, but something of others in the broker
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from headgate.api import EventBrokerSpec
from headgate.core.changes import Change
from headgate.core.compiled import Compiled
from headgate.core.defaults import STANDARD, Pressure
from headgate.core.estate import Ref
from headgate.core.progress import Capture, Holding, Progress
from headgate.core.resource import Key, Observed, Resource, Unread
from headgate.core.topology import Topology


def always() -> bool:
    """Nobody else acts."""
    return True


class BrokerError(Exception):
    """Anything a broker could not do; `reason` is CamelCase and stable, the text never holds a secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unreachable(BrokerError):  # noqa: N818  (an outcome, named as in the conditions)
    """The broker did not answer; another try may succeed."""


class Unknown(Unreachable):
    """The answer was lost: the request may have been carried out."""


class Unavailable(Unreachable):
    """One object is away while its broker is not: an election, a move, servers that are down."""


class Ongoing(Unavailable):
    """A change was begun, goes on by itself and takes its time; the text says what is left, in steps and not to the byte."""


class Refused(BrokerError):  # noqa: N818  (an outcome, named as in the conditions)
    """The broker said no, and will say no again."""


class Blocked(Refused):
    """Something of somebody else in the broker stands in the way, and is not ours to change."""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What a broker cluster turned out to be."""

    type: str  # as in status.type
    server_version: str
    identity: str  # tells this cluster from another behind the same address
    level: int = 0  # of the broker's own API, where it has levels
    nodes: int = 1  # how many replicas can be placed
    capabilities: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the named Secrets hold, by key; never printed."""

    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    ca: bytes = field(default=b"", repr=False)  # PEM
    client: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # tls.crt, tls.key

    def __repr__(self) -> str:
        return f"Credentials(keys={sorted(self.values)})"


class Broker(Protocol):
    """One live broker cluster. Every method is safe to repeat; none retries by itself; each has a deadline."""

    async def facts(self) -> BrokerFacts:
        """Identity, version, capabilities and limits of the cluster; connects when there is no connection yet."""
        ...

    async def observe(self, keys: Collection[Key]) -> Mapping[Key, Observed | Unread]:
        """Read many objects at once; absent ones are left out. Changes nothing in the broker.

        Left out means that the broker said so. What it can say nothing about is Unread, so that one object in trouble
        holds up no other; when it answers for none at all that is Unreachable.
        """
        ...

    async def apply(self, change: Change) -> Observed | None:
        """Carry out one change and say what the broker made of it; None once the object is gone.

        Carrying out a change that is already done is a success. Deleting an object of another identity is
        Refused(IdentityChanged); deleting one that holds messages under `only_if_empty` is Refused(NotEmpty). An object
        that cannot be changed just now, while others can, is Unavailable. Only what the driver's traits name is ever
        released; None then says that it was.
        """
        ...

    async def progress(self, groups: Collection[Key]) -> Mapping[Key, Progress | Unread]:
        """How far the given readers are; absent ones are left out. Changes nothing in the broker."""
        ...

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """What the given dead-letter objects hold and how much more they take; absent ones are left out."""
        ...

    async def capture(self) -> Capture | None:
        """How far movers are with the notices of this cluster; None while nothing keeps notices.

        Not asked where the driver says that there are none to keep.
        """
        ...

    async def lost(self) -> None:
        """Return when the connection is gone; at once when there is none. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine has to know of a kind of broker beside its objects; each is a fact, and all have a default."""

    pressure: Pressure = STANDARD  # how hard it may be pressed where the EventBroker does not say
    at_once: int = 32  # changes under way at the same time; what goes out in batches likes more
    releases: frozenset[str] = frozenset()  # kinds of custom resources that let go of what they keep
    no_notices: str = ""  # how dead letters come about where it raises none; empty where it does


class Driver(Protocol):
    """A kind of broker: how to connect to one, and how portable kinds become its objects."""

    addresses: str  # the field of its block in the EventBroker that says where the servers are
    traits: Traits

    def connect(
        self, spec: EventBrokerSpec, credentials: Credentials, may_act: Callable[[], bool] = always
    ) -> Broker:
        """A handle that connects on first use. Refused(CredentialsInvalid) when they cannot be used at all.

        `may_act` is asked right before every request that changes something; where it says no, nothing is sent and that
        is Unreachable(LeaseLost). A change of several requests may find out halfway that another process acts by now.
        """
        ...

    def compile(self, topology: Topology, facts: BrokerFacts, installation: str) -> Mapping[Ref, Compiled]:
        """Portable kinds in the broker's own words. Pure."""
        ...

    def infrastructure(self, facts: BrokerFacts, spec: EventBrokerSpec) -> tuple[Resource, ...]:
        """Objects of our own that must exist before any other, with their mark left to the adapter. Pure."""
        ...

    def keys(self, external_name: str, kind: str, topic: str = "") -> tuple[Key, ...]:
        """The broker objects of a custom resource of this kind and name, also when it no longer compiles. Pure."""
        ...
