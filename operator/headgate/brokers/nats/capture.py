"""How far movers are with the advisories of an account, for the operator. Changes nothing in the broker."""

import asyncio
from datetime import datetime
from typing import Final

from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.brokers.nats.times import moment
from headgate.brokers.nats.wire import MISSED, MISSED_AT, MOVER
from headgate.brokers.pace import Pace
from headgate.core.progress import Capture

_UNREAD: Final[Json] = {"delivered": {"stream_seq": 0}, "ack_floor": {"stream_seq": 0}}


async def capture(js: JetStream, lane: Pace) -> Capture | None:
    """What the capture stream and the movers' durable say; None while there is no such stream."""
    stream, durable = await asyncio.gather(
        js.find(lane, f"STREAM.INFO.{ADVISORIES_NAME}"),
        js.find(lane, f"CONSUMER.INFO.{ADVISORIES_NAME}.{MOVER}"),
    )
    if stream is None:
        return None
    position = durable or {**_UNREAD, "num_pending": stream["state"]["messages"], "num_ack_pending": 0}
    metadata = position.get("config", {}).get("metadata") or {}
    unread = int(stream["state"]["first_seq"]) - 1 - int(position["delivered"]["stream_seq"])
    backlog = int(position["num_pending"]) + int(position["num_ack_pending"])
    return Capture(
        at=moment(stream["ts"]) if "ts" in stream else moment(stream["created"]),
        backlog=backlog,
        oldest=await _oldest(js, lane, stream, position) if backlog else None,
        missed=int(metadata.get(MISSED, "0")) + (max(0, unread) if durable else 0),
        missed_at=moment(metadata[MISSED_AT]) if MISSED_AT in metadata else None,
        movers=int(position.get("num_waiting", 0)),
    )


async def _oldest(js: JetStream, lane: Pace, stream: Json, position: Json) -> datetime | None:
    """When the first advisory was raised that is not done with."""
    first = max(int(stream["state"]["first_seq"]), int(position["ack_floor"]["stream_seq"]) + 1)
    found = await js.first_at(lane, ADVISORIES_NAME, first, ">")
    return moment(found.time) if found else None
