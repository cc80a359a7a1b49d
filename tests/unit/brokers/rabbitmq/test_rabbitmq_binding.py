"""What workers are told about their group on RabbitMQ."""

from tests.unit.brokers.rabbitmq.estates import NEWEST, OLDER, compiled, group
from tests.unit.core.declare import BILLING, DEAD, ORDERS, declare

from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq.binding import BINDING_KEYS


def told(facts: BrokerFacts = NEWEST) -> dict[str, str]:
    """The files of a group."""
    policy = {"attempts": 4, "handlingTimeout": "10s", "deadline": "5m"}
    concurrency = {"perReplica": 20}
    return dict(group(facts, policy=policy, concurrency=concurrency).binding or {})


def test_every_file_is_in_the_list_of_keys() -> None:
    assert told().keys() == BINDING_KEYS.keys() - {"ca.crt"}


def test_a_worker_is_told_where_its_events_come_from_and_go_to() -> None:
    found = told()
    names = ("exchange", "queue", "dead-letter-queue", "routing-keys", "prefetch", "max-attempts")
    assert [found[name] for name in names] == ["orders", "billing", "dead", "orders.*.*.#", "20", "4"]
    assert (found["group"], found["topic"]) == ("shop/billing", "shop/orders")


def test_where_the_broker_waits_there_are_no_queues_to_wait_in() -> None:
    found = told()
    assert (found["retry-mechanism"], found["retry-waits"]) == ("DelayedRetry", "1s,2s,3s")
    assert found["retry-queues"] == ""


def test_where_queues_wait_each_wait_has_one() -> None:
    found = told(OLDER)
    assert (found["retry-mechanism"], found["retry-waits"]) == ("Ladder", "1s,2s,4s")
    assert found["retry-queues"] == "billing.retry-1000,billing.retry-2000,billing.retry-4000"


def test_a_worker_is_told_the_address_of_the_servers() -> None:
    orders = declare(ORDERS, subjects=["orders.*.>"])
    found = compiled(orders, declare(DEAD), declare(BILLING), vhost="shop")[BILLING].binding
    assert found is not None
    assert (found["servers"], found["virtual-host"]) == ("amqps://rabbit:5671", "shop")


def test_a_group_that_is_refused_tells_nothing() -> None:
    assert group(ordering="PerKey").binding is None
