"""What a worker is told about its group: one small file per fact. Pure.

The keys are an interface: they may be added to, never renamed.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from headgate.api.types import format_duration
from headgate.brokers.rabbitmq.names import step_name
from headgate.brokers.rabbitmq.options import Workers
from headgate.brokers.rabbitmq.resources import Queue
from headgate.brokers.rabbitmq.retries import Waits
from headgate.core.topology import Group

BINDING_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broker-type": "Kind of broker: RabbitMQ.",
        "servers": "Address of the servers for AMQP.",
        "virtual-host": "The virtual host.",
        "ca.crt": "Certificates of who may have signed the servers' own; only there where the EventBroker names some.",
        "credentials-secret-name": "Name of the Secret in this namespace to log in with; empty where none is named.",
        "group": "The ConsumerGroup, as namespace/name; goes into header headgate-group of dead letters.",
        "topic": "The EventTopic, as namespace/name; goes into header headgate-topic of dead letters.",
        "exchange": "The exchange of the topic.",
        "queue": "The queue to read from; it exists already. Published to through the exchange without a name, an event "
        "reaches this group only.",
        "routing-keys": "Patterns of what the queue gets, in the grammar of a topic exchange, one on each line.",
        "single-active-consumer": "true where only one consumer at a time gets events, else false.",
        "handling-timeout": "How long one attempt may take.",
        "max-attempts": "How many attempts an event has.",
        "retry-mechanism": "DelayedRetry: reject the event with requeue, the broker keeps the wait. Ladder: publish it, "
        "confirmed, to the queue of the wait with header headgate-attempts one higher, then acknowledge it.",
        "retry-waits": "The wait after the first, second ... failed attempt, separated by commas.",
        "retry-queues": "With Ladder, the queue of each of these waits, separated by commas; else empty.",
        "deadline": "After how long since its publication an event is given up; empty where there is no deadline.",
        "on-exhausted": "What becomes of an event without attempts left: DeadLetter or Drop.",
        "rules": "JSON list of what to do by class of error; the first match wins: [{errorClass, action}].",
        "dead-letter-queue": "The queue that keeps dead letters, published to through the exchange without a name; empty "
        "where none is named.",
        "prefetch": "How many events one replica should work on at a time; empty where the worker decides.",
    }
)


def binding(group: Group, queue: Queue, kept: Waits, workers: Workers) -> Mapping[str, str]:
    """The files."""
    spec, worker = group.declared.spec, group.topic.broker.spec.worker_credentials
    prefetch = spec.concurrency.per_replica if spec.concurrency else None
    return {
        "broker-type": "RabbitMQ",
        "servers": workers.amqp_url,
        "virtual-host": workers.virtual_host,
        "credentials-secret-name": worker.secret_name if worker else "",
        "group": f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        "topic": f"{group.topic.declared.ref.namespace}/{group.topic.declared.ref.name}",
        "exchange": group.topic.external_name,
        "queue": group.external_name,
        "routing-keys": "\n".join(each.routing_key for each in queue.bindings or ()),
        "single-active-consumer": str(bool(queue.single_active_consumer)).lower(),
        "dead-letter-queue": group.queue.external_name if group.queue else "",
        "prefetch": str(prefetch or ""),
        **_retrying(group, kept),
    }


def _retrying(group: Group, kept: Waits) -> Mapping[str, str]:
    policy = group.policy
    rules = [{"errorClass": rule.match.error_class, "action": str(rule.action)} for rule in policy.rules]
    steps = [step_name(group.external_name, wait) for wait in kept.kept] if kept.steps else []
    return {
        "handling-timeout": format_duration(policy.handling_timeout),
        "max-attempts": str(policy.attempts),
        "retry-mechanism": kept.mechanism,
        "retry-waits": ",".join(map(format_duration, kept.kept)),
        "retry-queues": ",".join(steps),
        "deadline": format_duration(policy.deadline) if policy.deadline else "",
        "on-exhausted": str(policy.on_exhausted),
        "rules": json.dumps(rules, separators=(",", ":")),
    }
