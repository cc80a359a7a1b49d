"""Taking over what other operators left: what is planned for objects that look as theirs do when they let go."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from headgate.api import AdoptionPolicy
from headgate.brokers.base import BrokerFacts
from headgate.brokers.kafka.resources import INHERITED, TOPIC_CONFIGS, KafkaTopic
from headgate.brokers.nats.reading import observed as nats_observed
from headgate.brokers.nats.resources import consumer_key, stream_key
from headgate.brokers.rabbitmq.documents import Snapshot, bindings_of, named
from headgate.brokers.rabbitmq.documents import observed as rabbit_observed
from headgate.brokers.rabbitmq.resources import Queue, exchange_key, queue_key
from headgate.brokers.registry import driver_of
from headgate.cli.manifests import read
from headgate.core.changes import Action
from headgate.core.claims import Claim, Owner
from headgate.core.outcomes import Outcome
from headgate.core.plan import plan
from headgate.core.resolve import resolve
from headgate.core.resource import Key, Observed, Resource

EXAMPLES: Final = Path(__file__).parents[3] / "examples" / "migration"
FACTS: Final = BrokerFacts(type="", server_version="the newest", identity="", level=10**6, nodes=3)
ME: Final = Owner("cluster", "EventTopic", "events", "mine")
MADE: Final = "2026-11-01T00:00:00Z"
SECOND: Final = 10**9

STREAM: Final = {
    "name": "mystream",
    "subjects": ["orders.*"],
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 3600 * SECOND,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "discard": "old",
    "storage": "file",
    "num_replicas": 1,
    "duplicate_window": 120 * SECOND,
    "compression": "none",
}
PULLED: Final = {
    "durable_name": "my-pull-consumer",
    "name": "my-pull-consumer",
    "deliver_policy": "all",
    "ack_policy": "explicit",
    "ack_wait": 30 * SECOND,
    "max_deliver": 20,
    "filter_subject": "orders.received",
    "replay_policy": "instant",
    "max_waiting": 512,
    "max_ack_pending": 1000,
}
PUSHED: Final = {
    "durable_name": "my-push-consumer-pulled",
    "deliver_subject": "my-push-consumer.orders",
    "deliver_policy": "last",
    "ack_policy": "none",
    "replay_policy": "instant",
    "flow_control": True,
    "idle_heartbeat": SECOND,
}


@cache
def declared(project: str, broker: str) -> Mapping[Key, Resource]:
    """What the counterparts of a project's examples want in one of their brokers, which is named with its namespace."""
    estate = read([str(EXAMPLES / project)], "default").estate
    ref, spec = next(
        (ref, each.spec) for ref, each in estate.brokers.items() if f"{ref.namespace}/{ref.name}" == broker
    )
    compiled = driver_of(spec).compile(resolve(estate, ref), FACTS, "cluster").values()
    return {resource.key: resource for each in compiled for resource in each.resources}


def planned(desired: Resource, found: Observed, adoption: AdoptionPolicy) -> tuple[set[str], set[str]]:
    """The settings that would be changed by taking the object over, and the reasons for which it is not."""
    wanted = replace(desired, needs=())
    made = plan([Claim(ME, wanted, adoption=adoption)], {wanted.key: found})
    [standing] = made.standings[ME]
    assert [change.action for change in made.changes] in ([], [Action.ADOPT])
    changed = {diff.field for change in made.changes for diff in change.diffs}
    return changed, {one.reason for one in standing.findings if one.outcome is not Outcome.WARNING}


def nats(key: Key, config: Mapping[str, Any]) -> Observed:
    """A stream or durable as the server shows it."""
    return nats_observed(key, {"config": config, "created": MADE})


def kafka(desired: Resource, **overrides: Any) -> Observed:
    """A topic with some configs of its own, and the partitions and copies that are declared."""
    assert isinstance(desired, KafkaTopic)
    names: dict[str, Any] = dict.fromkeys(TOPIC_CONFIGS.values(), INHERITED)
    found = KafkaTopic(
        desired.key, partitions=desired.partitions, replicas=desired.replicas, **(names | overrides)
    )
    return Observed(found, "an-id")


def rabbit(key: Key, *bindings: tuple[str, str], kind: str = "quorum", **arguments: Any) -> Observed:
    """An exchange of the type, or a queue of the type that is bound so."""
    bound = [
        {"source": source, "destination": key.name, "destination_type": "queue", "routing_key": word}
        for source, word in bindings
    ]
    item = {"name": key.name, "type": kind, "arguments": arguments}
    exchange = key.kind == exchange_key("").kind
    snapshot = Snapshot(
        exchanges=named([item] if exchange else []),
        queues=named([] if exchange else [item | {"messages": 7}]),
        bindings=bindings_of(bound),
    )
    found = rabbit_observed(snapshot, key)
    assert found is not None
    return found


def test_a_stream_of_nack_gets_only_the_private_subjects() -> None:
    """Everything else is declared as it is."""
    key = stream_key("mystream")
    desired = declared("nack", "events/nats")[key]
    found = nats(key, STREAM)
    assert planned(desired, found, AdoptionPolicy.ALWAYS) == ({"subjects"}, set())
    assert planned(desired, found, AdoptionPolicy.IF_MATCHES) == (set(), {"ExistsAndDiffers"})


def test_a_pulled_consumer_of_nack_gets_only_its_private_filter() -> None:
    """Its position stays: where to begin is not compared."""
    key = consumer_key("mystream", "my-pull-consumer")
    found = nats(key, PULLED | {"deliver_policy": "last_per_subject"})
    assert planned(declared("nack", "events/nats")[key], found, AdoptionPolicy.ALWAYS) == (
        {"filter_subjects"},
        set(),
    )


def test_a_pushed_consumer_of_nack_is_not_taken_over() -> None:
    """Under the old name nothing is done to it."""
    key = consumer_key("mystream", "my-push-consumer-pulled")
    found = nats(key, PUSHED)
    assert planned(declared("nack", "events/nats")[key], found, AdoptionPolicy.ALWAYS)[1] == {
        "FieldImmutable"
    }
    assert planned(declared("nack", "events/nats")[key], found, AdoptionPolicy.IF_MATCHES) == (
        set(),
        {"ExistsAndDiffers"},
    )


def test_a_topic_of_strimzi_gets_overrides_for_what_was_left_to_the_broker() -> None:
    """That is why taking it over only where nothing differs does not work."""
    desired = declared("strimzi", "kafka/my-cluster")[Key("topic", "my-topic")]
    found = kafka(desired, retention_ms="7200000", segment_bytes="1073741824")
    changed = {"cleanup_policy", "min_insync_replicas", "retention_bytes", "segment_ms"}
    assert planned(desired, found, AdoptionPolicy.ALWAYS) == (changed, set())
    assert planned(desired, found, AdoptionPolicy.IF_MATCHES) == (set(), {"ExistsAndDiffers"})


def test_a_compacted_topic_of_strimzi_would_lose_its_compaction() -> None:
    """The plan names it, which is what looking before applying is for."""
    desired = declared("strimzi", "kafka/my-cluster")[Key("topic", "my-topic")]
    found = kafka(desired, cleanup_policy="compact")
    assert "cleanup_policy" in planned(desired, found, AdoptionPolicy.ALWAYS)[0]
    assert isinstance(desired, KafkaTopic)
    kept = replace(desired, cleanup_policy=None)  # Unmanaged
    assert "cleanup_policy" not in planned(kept, found, AdoptionPolicy.ALWAYS)[0]


def test_a_topic_exchange_of_the_topology_operator_is_taken_over() -> None:
    """It gets an alternate exchange and the stream beside it, which replay: false does without."""
    first, second = exchange_key("topic-a"), exchange_key("topic-b")
    changed, refused = planned(
        declared("rabbitmq", "events/test")[first], rabbit(first, kind="topic"), AdoptionPolicy.ALWAYS
    )
    assert {"alternate_exchange", "replay"} <= changed
    assert refused == set()
    found = rabbit(second, kind="topic")
    assert planned(declared("rabbitmq", "events/test")[second], found, AdoptionPolicy.ALWAYS)[0] == {
        "alternate_exchange"
    }


@pytest.mark.parametrize("kind", ["direct", "fanout", "headers"])
def test_an_exchange_of_another_type_is_not_taken_over(kind: str) -> None:
    """Types are for ever."""
    key = exchange_key("topic-a")
    found = rabbit(key, kind=kind)
    assert planned(declared("rabbitmq", "events/test")[key], found, AdoptionPolicy.ALWAYS) == (
        set(),
        {"FieldImmutable"},
    )


def test_a_quorum_queue_of_the_topology_operator_loses_bindings_that_are_not_declared() -> None:
    """That is why the old exchange is bound to the one of the topic before."""
    key = queue_key("qq")
    found = rabbit(key, ("old", "any"), kind="quorum")
    desired = declared("rabbitmq", "events/test-test-vhost-2")[key]
    assert isinstance(desired, Queue)
    changed, refused = planned(desired, found, AdoptionPolicy.ALWAYS)
    assert "bindings" in changed
    assert refused == set()
    assert all(binding.source != "old" for binding in desired.bindings or ())


def test_a_classic_queue_is_not_taken_over() -> None:
    """What it holds stays where it is."""
    key = queue_key("destination-queue")
    found = rabbit(key, kind="classic")
    assert planned(declared("rabbitmq", "events/example-destination")[key], found, AdoptionPolicy.ALWAYS) == (
        set(),
        {"FieldImmutable"},
    )
