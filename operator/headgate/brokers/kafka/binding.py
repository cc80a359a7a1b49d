"""What a worker is told about its group: one small file per fact. Pure.

The keys are an interface: they may be added to, never renamed.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from headgate.api.types import format_duration, format_size
from headgate.brokers.kafka.translate_ladder import retry_files
from headgate.brokers.kafka.values import KafkaConnection, KafkaGroupNative
from headgate.core.topology import Group

BINDING_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broker-type": "Kind of broker: Kafka.",
        "servers": "Addresses of the servers, separated by commas: bootstrap.servers.",
        "security-protocol": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: security.protocol.",
        "sasl-mechanism": "How to log in: sasl.mechanism; empty where nobody has to.",
        "ca.crt": "Certificates of who may have signed the servers' own; only there where the EventBroker names some.",
        "credentials-secret-name": "Name of the Secret in this namespace to log in with; empty where none is named.",
        "group": "The ConsumerGroup, as namespace/name; goes into header headgate-group of dead letters.",
        "topic": "The EventTopic, as namespace/name; goes into header headgate-topic of dead letters.",
        "source-topic": "The topic to read.",
        "due-topic": "The topic to read beside it, in which events come back for their next attempt; empty where there is none.",
        "group-id": "The group to read them with: group.id.",
        "auto-offset-reset": "Where to begin in partitions without a position: auto.offset.reset. Always earliest: the "
        "group was given its start, and what comes later must not be passed over.",
        "handling-timeout": "How long one attempt may take.",
        "max-attempts": "How many attempts an event has.",
        "retry-mechanism": "RetryTopics: publish an event that failed to the topic of the wait, with header headgate-attempts "
        "one higher, and go on once it is acknowledged; it comes back in due-topic. Client: the same, and read the topics "
        "of the waits yourself, each event not before its wait is over.",
        "retry-waits": "The wait after the first, second ... failed attempt, separated by commas.",
        "retry-topics": "The topic of each of these waits, separated by commas.",
        "retry-topic-suffix": "With Client: what follows the topic's name in the name of a topic of a wait, before a dash "
        "and the wait in milliseconds; else empty.",
        "deadline": "After how long since its publication an event is given up; empty where there is no deadline.",
        "on-exhausted": "What becomes of an event without attempts left: DeadLetter or Drop.",
        "rules": "JSON list of what to do by class of error; the first match wins: [{errorClass, action}].",
        "dead-letter-topic": "The topic that keeps dead letters; empty where none is named.",
        "dead-letter-max-size": "Largest dead letter, headers included; empty where there is no bound of its own.",
        "prefetch": "How many events one replica should work on at a time; empty where the worker decides.",
    }
)


def binding(group: Group, native: KafkaGroupNative, connection: KafkaConnection) -> Mapping[str, str]:
    """The files."""
    spec, queue = group.declared.spec, group.queue
    prefetch = spec.concurrency.per_replica if spec.concurrency else None
    return {
        **_connection(group, connection),
        "group": f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        "topic": f"{group.topic.declared.ref.namespace}/{group.topic.declared.ref.name}",
        "source-topic": group.topic.external_name,
        "group-id": group.external_name,
        "auto-offset-reset": "earliest",
        **_policy(group),
        **retry_files(group, native),
        "dead-letter-topic": queue.external_name if queue else "",
        "dead-letter-max-size": format_size(queue.max_message_size)
        if queue and queue.max_message_size
        else "",
        "prefetch": str(prefetch or ""),
    }


def _connection(group: Group, connection: KafkaConnection) -> Mapping[str, str]:
    worker = group.topic.broker.spec.worker_credentials
    secured = "SSL" if connection.tls else "PLAINTEXT"
    return {
        "broker-type": "Kafka",
        "servers": ",".join(connection.bootstrap_servers),
        "security-protocol": f"SASL_{secured}" if connection.sasl else secured,
        "sasl-mechanism": connection.sasl,
        "credentials-secret-name": worker.secret_name if worker else "",
    }


def _policy(group: Group) -> Mapping[str, str]:
    policy = group.policy
    rules = [{"errorClass": rule.match.error_class, "action": str(rule.action)} for rule in policy.rules]
    return {
        "handling-timeout": format_duration(policy.handling_timeout),
        "max-attempts": str(policy.attempts),
        "deadline": format_duration(policy.deadline) if policy.deadline else "",
        "on-exhausted": str(policy.on_exhausted),
        "rules": json.dumps(rules, separators=(",", ":")),
    }
