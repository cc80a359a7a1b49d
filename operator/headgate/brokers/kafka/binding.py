"""What a worker is told about its group: one small file per fact. Pure.

The keys are an interface: they may be added to, never renamed.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from headgate.api.types import format_duration, format_size
from headgate.brokers.kafka.names import due_topic, retry_topic
from headgate.brokers.kafka.resources import Step
from headgate.brokers.kafka.values import KafkaGroupNative
from headgate.core.retry import waits
from headgate.core.topology import Group

BINDING_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broker-type": "Kind of broker: Kafka.",
        "bootstrap-servers": "Host and port of brokers, separated by commas.",
        "security-protocol": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as for Headgate.",
        "sasl-mechanism": "How Headgate logs in, e.g. SCRAM-SHA-512; empty where it does not.",
        "ca.crt": "Certificates of who may have signed the servers' own; only there where the EventBroker names some.",
        "credentials-secret-name": "Name of the Secret in this namespace to log in with; empty where none is named.",
        "group": "The ConsumerGroup, as namespace/name; goes into header headgate-group of dead letters.",
        "topic": "The EventTopic, as namespace/name; goes into header headgate-topic of dead letters.",
        "topics": "The topics to subscribe to, separated by commas: that of the group, and the one in which its events come "
        "back for another attempt.",
        "group-id": "The group.id to read with; it has a position in every partition already.",
        "auto-offset-reset": "The auto.offset.reset to read with: earliest, so that nothing in a partition is missed that was "
        "added while the worker ran.",
        "filters": "Subjects of the events to work on, one on each line: pass over all others; empty: work on all.",
        "handling-timeout": "How long one attempt may take: the least max.poll.interval.ms for each event of a poll.",
        "max-attempts": "How many attempts an event has.",
        "retry-driver": "Mover: movers bring events back when their wait is over. Client: the workers see to that themselves.",
        "retry-waits": "The wait after the first, second ... failed attempt, separated by commas.",
        "retry-topics": "The topic of each of these waits, separated by commas: publish the event there with header "
        "headgate-attempts one higher, and commit once the broker has it.",
        "deadline": "After how long since its publication an event is given up; empty where there is no deadline.",
        "on-exhausted": "What becomes of an event without attempts left: DeadLetter or Drop.",
        "rules": "JSON list of what to do by class of error; the first match wins: [{errorClass, action}].",
        "dead-letter-topic": "The topic that keeps dead letters; empty where no queue is named.",
        "dead-letter-max-size": "Largest dead letter, headers included; empty where there is no bound of its own.",
        "prefetch": "How many events one replica should work on at a time; empty where the worker decides.",
    }
)


def binding(group: Group, steps: tuple[Step, ...], native: KafkaGroupNative) -> Mapping[str, str]:
    """The files."""
    return {
        **_connection(group),
        **_reading(group, steps, native),
        **_handling(group, native),
        **_dead(group),
    }


def _connection(group: Group) -> Mapping[str, str]:
    spec = group.topic.broker.spec
    kafka, worker = spec.kafka, spec.worker_credentials
    sasl, tls = (kafka.sasl, kafka.tls) if kafka else (None, None)
    secured = "SSL" if tls else "PLAINTEXT"
    return {
        "broker-type": "Kafka",
        "bootstrap-servers": ",".join(kafka.bootstrap_servers) if kafka else "",
        "security-protocol": f"SASL_{secured}" if sasl else secured,
        "sasl-mechanism": str(sasl.mechanism) if sasl else "",
        "credentials-secret-name": worker.secret_name if worker else "",
    }


def _reading(group: Group, steps: tuple[Step, ...], native: KafkaGroupNative) -> Mapping[str, str]:
    spec, topic = group.declared.spec, group.topic.external_name
    back = (due_topic(topic, group.external_name),) if steps and not native.client_retries else ()
    prefetch = spec.concurrency.per_replica if spec.concurrency else None
    return {
        "group": f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        "topic": f"{group.topic.declared.ref.namespace}/{group.topic.declared.ref.name}",
        "topics": ",".join((topic, *back)),
        "group-id": group.external_name,
        "auto-offset-reset": "earliest",
        "filters": "\n".join(spec.filter.subjects) if spec.filter else "",
        "prefetch": str(prefetch or ""),
    }


def _handling(group: Group, native: KafkaGroupNative) -> Mapping[str, str]:
    policy, kept = group.policy, waits(group.policy)
    names = (retry_topic(group.topic.external_name, group.external_name, wait) for wait in kept)
    rules = [{"errorClass": rule.match.error_class, "action": str(rule.action)} for rule in policy.rules]
    return {
        "handling-timeout": format_duration(policy.handling_timeout),
        "max-attempts": str(policy.attempts),
        "retry-driver": "Client" if native.client_retries else "Mover",
        "retry-waits": ",".join(map(format_duration, kept)),
        "retry-topics": ",".join(names),
        "deadline": format_duration(policy.deadline) if policy.deadline else "",
        "on-exhausted": str(policy.on_exhausted),
        "rules": json.dumps(rules, separators=(",", ":")),
    }


def _dead(group: Group) -> Mapping[str, str]:
    queue = group.queue
    size = queue.max_message_size if queue else None
    return {
        "dead-letter-topic": queue.external_name if queue else "",
        "dead-letter-max-size": format_size(size) if size else "",
    }
