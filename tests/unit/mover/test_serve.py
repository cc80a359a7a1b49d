"""A mover process in step with what a cluster says."""

from typing import Any

import pytest
from tests.unit.mover.fakes import NOON, ROUTE, FakeCarrier, FakeKube, FakeMessages, notice

from headgate.brokers.base import Refused
from headgate.core.moves import DATA_KEY, Routes, render
from headgate.kube.errors import Unavailable
from headgate.local.waiting import until
from headgate.mover.orders import Name, Order, Orders
from headgate.mover.serve import Service
from headgate.telemetry.metrics import Metrics

MAIN = Name("platform", "main")
BLOCK: dict[str, Any] = {"nats": {"servers": ["nats://here:4222"], "credentialsSecretRef": {"name": "login"}}}


def _kube() -> FakeKube:
    return FakeKube(
        brokers={
            ("platform", "main"): dict(BLOCK),
            ("other", "second"): {"nats": {"servers": ["nats://there:4222"]}},
        },
        config_maps={
            ("platform", "headgate-routes-main"): {DATA_KEY: render(Routes("platform/main", (ROUTE,)))}
        },
        secrets={("platform", "login"): {"token": b"sesame"}},
    )


def _never(name: Name, text: str) -> None:
    raise AssertionError(f"{name}: {text}")


@pytest.mark.parametrize(
    ("namespaces", "only", "expected"),
    [
        pytest.param((), None, {MAIN, Name("other", "second")}, id="the whole cluster"),
        pytest.param(("platform",), None, {MAIN}, id="some namespaces"),
        pytest.param((), MAIN, {MAIN}, id="one EventBroker alone"),
        pytest.param((), Name("platform", "gone"), set(), id="one that is not there"),
    ],
)
async def test_which_brokers_are_served(
    namespaces: tuple[str, ...], only: Name | None, expected: set[Name]
) -> None:
    assert (await Orders(_kube(), namespaces, only).read(_never)).keys() == expected


async def test_a_broker_without_routes_is_served_and_holds_what_is_ours() -> None:
    orders = await Orders(_kube()).read(_never)
    assert orders[MAIN].routes == Routes("platform/main", (ROUTE,))
    assert orders[Name("other", "second")].routes is None


async def test_routes_that_cannot_be_read_are_complained_about() -> None:
    kube, heard = _kube(), list[Name]()
    kube.config_maps["platform", "headgate-routes-main"] = {DATA_KEY: "nonsense"}
    orders = await Orders(kube, only=MAIN).read(lambda name, _: heard.append(name))
    assert (orders[MAIN].routes, heard) == (None, [MAIN])


async def test_a_broker_that_cannot_be_understood_is_left_out_with_a_complaint() -> None:
    kube, heard = _kube(), list[str]()
    kube.brokers["platform", "main"] = {"nats": {}}
    assert await Orders(kube, only=MAIN).read(lambda _, text: heard.append(text)) == {}
    assert "servers" in heard[0]


async def test_secrets_are_told_to_the_logs_before_they_are_used() -> None:
    told = list[bytes]()
    orders = Orders(_kube(), only=MAIN, keep_secret=told.extend)
    order = (await orders.read(_never))[MAIN]
    assert (await orders.credentials(order)).values == {"token": b"sesame"}
    assert told == [b"sesame"]


async def test_a_secret_that_is_not_there_is_refused_by_name() -> None:
    kube = _kube()
    kube.secrets.clear()
    orders = Orders(kube, only=MAIN)
    order: Order = (await orders.read(_never))[MAIN]
    with pytest.raises(Refused) as caught:
        await orders.credentials(order)
    assert (caught.value.reason, "login" in str(caught.value)) == ("SecretNotFound", True)


class Running:
    """A service at work on a cluster and a broker in memory."""

    def __init__(self) -> None:
        self.kube, self.messages = _kube(), FakeMessages(waiting=[notice(1)])
        self.carrier, self.metrics = FakeCarrier(self.messages), Metrics()
        orders = Orders(self.kube, only=MAIN)
        self.service = Service(orders, self.metrics, lambda: NOON, carrier=lambda _: self.carrier)

    async def moved(self, *positions: int) -> None:
        async def check() -> bool:
            return sorted(self.messages.settled) == list(positions)

        await until(f"{positions} are moved", check)


async def test_what_a_broker_announces_is_moved_until_the_service_ends() -> None:
    running = Running()
    await running.service.look()
    await running.moved(1)
    running.service.stop()
    await running.service.run()
    assert running.messages.closed
    assert running.service.ready() == ""


async def test_movers_go_on_while_the_cluster_is_away() -> None:
    running = Running()
    await running.service.look()
    await running.moved(1)
    running.kube.trouble = Unavailable("away")
    await running.service.look()
    running.messages.waiting.append(notice(2))
    await running.moved(1, 2)
    running.service.stop()
    await running.service.run()


async def test_a_broker_that_is_declared_otherwise_is_connected_to_anew() -> None:
    running = Running()
    await running.service.look()
    running.kube.brokers["platform", "main"] = {"nats": {"servers": ["nats://elsewhere:4222"]}}
    await running.service.look()
    await running.service.look()
    servers = [spec.nats.servers for spec, _ in running.carrier.connected if spec.nats is not None]
    assert servers == [("nats://here:4222",), ("nats://elsewhere:4222",)]
    running.service.stop()
    await running.service.run()


async def test_a_broker_that_is_gone_is_let_go() -> None:
    running = Running()
    await running.service.look()
    del running.kube.brokers["platform", "main"]
    await running.service.look()
    assert running.messages.closed


async def test_a_service_that_never_had_an_answer_is_not_ready() -> None:
    running = Running()
    running.kube.trouble = Unavailable("away")
    await running.service.look()
    assert running.service.ready()
    assert running.service.live() == ""
