"""A DeadLetterQueue as a quorum queue that dead letters reach through the exchange that is always there. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from headgate.api import WhenFull
from headgate.api.common import Storage
from headgate.brokers import remarks
from headgate.brokers.base import BrokerFacts
from headgate.brokers.rabbitmq import translate_common as common
from headgate.brokers.rabbitmq.resources import (
    DROP_HEAD,
    QUORUM,
    REJECT_PUBLISH,
    UNBOUNDED,
    DeadLetters,
    Delay,
    Queue,
    queue_key,
)
from headgate.core.compiled import Compiled, Note
from headgate.core.topology import Queue as DeclaredQueue

ENDLESS: Final = -1  # looking at a dead letter is no attempt
_REMEMBERED: Final = timedelta(days=90)  # who closed an entry, where entries themselves have no age
_SHORTEST: Final = timedelta(days=1)


def compiled_queue(queue: DeclaredQueue, facts: BrokerFacts) -> Compiled:
    """The queue. Where it is full and rejects, the queues of groups keep what they could not hand over."""
    spec, retention = queue.declared.spec, queue.declared.spec.retention
    resource = Queue(
        queue_key(queue.external_name),
        type=QUORUM,
        single_active_consumer=False,
        copies=remarks.replicas(queue.replicas, facts),
        bindings=(),
        delivery_limit=ENDLESS,
        dead_letters=DeadLetters(),
        overflow=REJECT_PUBLISH if spec.when_full is WhenFull.REJECT_NEW else DROP_HEAD,
        max_length=UNBOUNDED if retention.max_messages is None else retention.max_messages,
        max_bytes=UNBOUNDED if retention.max_bytes is None else retention.max_bytes,
        message_ttl=retention.max_age or timedelta(0),
        consumer_timeout=timedelta(0),
        delay=Delay(),
        steps=(),
        closed_max_age=max(retention.max_age or _REMEMBERED, _SHORTEST),
        shadowed_by="",
    )
    findings = (*common.name_findings(queue.external_name), *common.copy_findings(queue.replicas, facts))
    effective = {"externalName": queue.external_name}
    if spec.replicas is None:
        effective["replicas"] = str(resource.copies)
    return Compiled(
        () if findings else (resource,),
        notes=tuple(_notes(queue)),
        findings=tuple(findings),
        effective=effective,
    )


def _notes(queue: DeclaredQueue) -> Iterator[Note]:
    spec = queue.declared.spec
    if spec.retention.max_age is not None:
        text = "entries are taken away when they are too old and have reached the head of the queue"
        yield remarks.approximated("spec.retention.maxAge", text)
    if spec.max_message_size is not None:
        text = (
            "the server has one limit for all messages (max_message_size in its configuration); that of the queue is "
            "not enforced"
        )
        yield remarks.approximated("spec.maxMessageSize", text)
    if spec.storage is Storage.MEMORY:
        text = (
            "quorum queues are always on disk, so dead letters survive restarts although Memory is declared"
        )
        yield remarks.approximated("spec.storage", text)
