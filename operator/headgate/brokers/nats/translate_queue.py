"""A DeadLetterQueue as a stream with one subject per dead letter. Pure."""

from collections.abc import Iterator
from datetime import timedelta

from headgate.api import WhenFull
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.nats import translate_common as common
from headgate.brokers.nats.names import own_subjects
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.core.compiled import Compiled
from headgate.core.outcomes import Finding
from headgate.core.topology import Queue


def compiled_queue(queue: Queue, facts: BrokerFacts) -> Compiled:
    """The stream. A resolved dead letter is replaced on its own subject, which is why roll-ups are allowed."""
    spec = queue.declared.spec
    stream = Stream(
        stream_key(queue.external_name),
        subjects=(own_subjects(queue.external_name),),
        retention="limits",
        storage=str(spec.storage).lower(),
        num_replicas=remarks.replicas(queue.replicas, facts),
        max_age=spec.retention.max_age or timedelta(0),
        max_bytes=common.or_unbounded(spec.retention.max_bytes),
        max_msgs=common.or_unbounded(spec.retention.max_messages),
        max_msgs_per_subject=common.UNBOUNDED,
        max_msg_size=common.or_unbounded(queue.max_message_size),
        discard="new" if spec.when_full is WhenFull.REJECT_NEW else "old",
        allow_rollup_hdrs=True,
        allow_direct=True,
    )
    findings = tuple(_findings(queue, facts))
    effective = {"externalName": queue.external_name}
    if spec.replicas is None:
        effective["replicas"] = str(stream.num_replicas)
    if spec.max_message_size is None and queue.max_message_size is not None:
        effective["maxMessageSize"] = str(queue.max_message_size)
    return Compiled(() if findings else (stream,), findings=findings, effective=effective)


def _findings(queue: Queue, facts: BrokerFacts) -> Iterator[Finding]:
    yield from common.name_findings(queue.external_name)
    yield from common.replica_findings(queue.replicas, facts)
