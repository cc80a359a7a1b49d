"""What a worker is told about its group: one small file per fact. Pure.

The keys are an interface: they may be added to, never renamed.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from headgate.api.types import format_duration, format_size
from headgate.brokers.nats.names import dead_letter_prefix, private_prefix
from headgate.brokers.nats.resources import Consumer
from headgate.brokers.nats.translate_topic import layout_of
from headgate.core.topology import Group

BINDING_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broker-type": "Kind of broker: NATS.",
        "servers": "Addresses of the servers, separated by commas.",
        "jetstream-domain": "The JetStream domain; empty where there is none.",
        "ca.crt": "Certificates of who may have signed the servers' own; only there where the EventBroker names some.",
        "credentials-secret-name": "Name of the Secret in this namespace to log in with; empty where none is named.",
        "group": "The ConsumerGroup, as namespace/name; goes into header headgate-group of dead letters.",
        "topic": "The EventTopic, as namespace/name; goes into header headgate-topic of dead letters.",
        "stream": "The stream to read from.",
        "durable": "The durable pull consumer to read through; it exists already.",
        "filters": "Subjects that the durable hands out, as they are stored, one on each line.",
        "stored-subject-prefix": "What stored subjects begin with where events are stored in buckets, followed by bucket and key; else empty.",
        "subjects-private-prefix": "Subjects that begin with this reach this group only; events on them are repeats.",
        "ack-wait": "How long one attempt may take before the event is handed out again.",
        "nak-delays": "The wait to ask for after the first, second ... failed attempt, separated by commas.",
        "nak-jitter-percent": "By how much of itself each of these waits should be made longer, at random.",
        "max-deliver": "How many attempts an event has.",
        "deadline": "After how long since its publication an event is given up; empty where there is no deadline.",
        "on-exhausted": "What becomes of an event without attempts left: DeadLetter or Drop.",
        "rules": "JSON list of what to do by class of error; the first match wins: [{errorClass, action}].",
        "dead-letter-stream": "The stream that keeps dead letters; empty where no queue is named.",
        "dead-letter-subject": "Subject of dead letters; append a dot and the event's stream sequence. Empty where no queue is named.",
        "dead-letter-max-size": "Largest dead letter, headers included; empty where there is no bound of its own.",
        "prefetch": "How many events one replica should work on at a time; empty where the worker decides.",
    }
)


def binding(group: Group, consumer: Consumer, naks: tuple[timedelta, ...]) -> Mapping[str, str] | None:
    """The files; None until the stream is known, because the address of dead letters names its incarnation."""
    identity = group.topic.declared.record.identity
    if not identity:
        return None
    return {
        **_connection(group),
        **_reading(group, consumer),
        **_retrying(group, consumer, naks),
        **_dead(group, identity),
    }


def _connection(group: Group) -> Mapping[str, str]:
    spec = group.topic.broker.spec
    nats, worker = spec.nats, spec.worker_credentials
    return {
        "broker-type": "NATS",
        "servers": ",".join(nats.servers) if nats else "",
        "jetstream-domain": (nats.jet_stream_domain or "") if nats else "",
        "credentials-secret-name": worker.secret_name if worker else "",
    }


def _reading(group: Group, consumer: Consumer) -> Mapping[str, str]:
    stream, layout = group.topic.external_name, layout_of(group.topic)
    prefetch = group.declared.spec.concurrency.per_replica if group.declared.spec.concurrency else None
    return {
        "group": f"{group.declared.ref.namespace}/{group.declared.ref.name}",
        "topic": f"{group.topic.declared.ref.namespace}/{group.topic.declared.ref.name}",
        "stream": stream,
        "durable": group.external_name,
        "filters": "\n".join(consumer.filter_subjects or ()),
        "stored-subject-prefix": layout.stored_prefix if layout else "",
        "subjects-private-prefix": private_prefix(stream, group.external_name),
        "prefetch": str(prefetch or ""),
    }


def _retrying(group: Group, consumer: Consumer, naks: tuple[timedelta, ...]) -> Mapping[str, str]:
    policy = group.policy
    rules = [{"errorClass": rule.match.error_class, "action": str(rule.action)} for rule in policy.rules]
    return {
        "ack-wait": format_duration(consumer.ack_wait or policy.handling_timeout),
        "nak-delays": ",".join(map(format_duration, naks)),
        "nak-jitter-percent": str(policy.backoff.jitter_percent),
        "max-deliver": str(policy.attempts),
        "deadline": format_duration(policy.deadline) if policy.deadline else "",
        "on-exhausted": str(policy.on_exhausted),
        "rules": json.dumps(rules, separators=(",", ":")),
    }


def _dead(group: Group, identity: str) -> Mapping[str, str]:
    queue = group.queue
    if queue is None:
        return {"dead-letter-stream": "", "dead-letter-subject": "", "dead-letter-max-size": ""}
    prefix = dead_letter_prefix(queue.external_name, group.topic.external_name, group.external_name, identity)
    return {
        "dead-letter-stream": queue.external_name,
        "dead-letter-subject": prefix,
        "dead-letter-max-size": format_size(queue.max_message_size) if queue.max_message_size else "",
    }
