"""What a mover is told to do: EventBrokers, the routes that the operator wrote, named Secrets. Reads only, and knows no broker."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from headgate.api import BROKER_BLOCKS, EventBrokerSpec, SecretRef
from headgate.api.load import load_model
from headgate.brokers.base import Credentials, Refused, Unreachable
from headgate.core.moves import DATA_KEY, Routes, RoutesError, config_map_name, load
from headgate.kube.errors import Forbidden, KubeError, NotFound
from headgate.kube.values import ConfigMap, Listing, Secret

KIND: Final = "EventBroker"


class Kube(Protocol):
    """The cluster, as far as a mover reads it."""

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """One object of ours."""
        ...

    async def list(self, kind: str, namespace: str | None = None) -> Listing:
        """All objects of one of our kinds."""
        ...

    async def get_config_map(self, namespace: str, name: str) -> ConfigMap:
        """One ConfigMap."""
        ...

    async def get_secret(self, namespace: str, name: str) -> Secret:
        """One named Secret."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """An EventBroker."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Order:
    """One EventBroker to serve, and how."""

    name: Name
    spec: EventBrokerSpec
    routes: Routes | None  # None: the operator has written none that can be read; what is ours is held


class Orders:
    """Reads what is to be served: everything, some namespaces, or one EventBroker."""

    def __init__(
        self,
        kube: Kube,
        namespaces: Sequence[str] = (),
        only: Name | None = None,
        keep_secret: Callable[[Iterable[bytes]], None] = lambda _: None,
    ) -> None:
        self._kube, self._namespaces, self._only = kube, namespaces, only
        self._keep_secret = keep_secret  # told of every Secret, so that no log ever shows it

    async def read(self, complain: Callable[[Name, str], None]) -> Mapping[Name, Order]:
        """All orders of this moment. What cannot be understood is left out with a complaint; a KubeError is raised."""
        found: dict[Name, Order] = {}
        for body in await self._brokers(complain):
            name = Name(body["metadata"]["namespace"], body["metadata"]["name"])
            spec = load_model(EventBrokerSpec, body.get("spec") or {}, strict=False)
            if not isinstance(spec, EventBrokerSpec):
                complain(name, "; ".join(str(error) for error in spec))
                continue
            found[name] = Order(name, spec, await self._routes(name, complain))
        return found

    async def credentials(self, order: Order) -> Credentials:
        """What the Secrets hold that the EventBroker names."""
        blocks = (getattr(order.spec, block) for block in BROKER_BLOCKS)
        connection = next(block for block in blocks if block is not None)
        tls = connection.tls
        values = await self._secret(order.name, connection.credentials_secret_ref)
        authorities = await self._secret(order.name, tls and tls.ca_secret_ref)
        client = await self._secret(order.name, tls and tls.client_secret_ref)
        self._keep_secret([*values.values(), *client.values()])
        return Credentials(values, authorities.get("ca.crt") or authorities.get("tls.crt") or b"", client)

    async def _brokers(self, complain: Callable[[Name, str], None]) -> Iterable[Mapping[str, Any]]:
        if self._only is not None:
            try:
                return [await self._kube.get(KIND, self._only.namespace, self._only.name)]
            except NotFound:
                return []
        found: list[Mapping[str, Any]] = []
        closed: dict[str, Forbidden] = {}
        for namespace in self._namespaces or (None,):
            try:
                found += (await self._kube.list(KIND, namespace)).items
            except Forbidden as error:
                closed[namespace or ""] = error
        if len(closed) == len(self._namespaces or (None,)):
            raise next(iter(closed.values()))
        for (
            name,
            refusal,
        ) in closed.items():  # gone, and our rights with it: the others are served all the same
            complain(Name(name, "*"), str(refusal))
        return found

    async def _routes(self, name: Name, complain: Callable[[Name, str], None]) -> Routes | None:
        try:
            found = await self._kube.get_config_map(name.namespace, config_map_name(name.name))
            return load(found.data.get(DATA_KEY, ""))
        except NotFound:
            return None
        except RoutesError as error:
            complain(name, str(error))
            return None

    async def _secret(self, broker: Name, ref: SecretRef | None) -> Mapping[str, bytes]:
        if ref is None:
            return {}
        try:
            return (await self._kube.get_secret(broker.namespace, ref.name)).data
        except NotFound as error:
            raise Refused("SecretNotFound", f"there is no Secret {ref.name} in {broker.namespace}") from error
        except Forbidden as error:
            raise Refused(
                "SecretForbidden", f"Secret {ref.name} in {broker.namespace} may not be read"
            ) from error
        except KubeError as error:
            raise Unreachable("SecretUnreadable", f"Secret {ref.name} cannot be read now") from error
