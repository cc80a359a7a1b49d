"""How far movers are with the advisories of an account, for the operator. Changes nothing in the broker."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from headgate.brokers.base import Unavailable, Unreachable
from headgate.brokers.nats.documents import Json
from headgate.brokers.nats.jetstream import JetStream
from headgate.brokers.nats.movers import MISSED, MISSED_AT, MOVER, put_off
from headgate.brokers.nats.names import ADVISORIES_NAME
from headgate.brokers.nats.times import moment
from headgate.brokers.pace import Pace
from headgate.core.progress import Capture

LATELY: Final = timedelta(seconds=10)  # who was given an advisory so recently is still there
_UNREAD: Final[Json] = {"delivered": {"stream_seq": 0}, "ack_floor": {"stream_seq": 0}}


async def capture(js: JetStream, lane: Pace) -> Capture | None:
    """What the capture stream and the movers' durable say; None while there is no such stream."""
    try:
        stream, durable = await asyncio.gather(
            js.find(lane, f"STREAM.INFO.{ADVISORIES_NAME}"),
            js.find(lane, f"CONSUMER.INFO.{ADVISORIES_NAME}.{MOVER}"),
        )
    except Unreachable as error:
        silence = js.unread(error, ADVISORIES_NAME)
        raise Unavailable(silence.reason, silence.message) from error
    if stream is None:
        return None
    position = durable or {**_UNREAD, "num_pending": stream["state"]["messages"], "num_ack_pending": 0}
    metadata = position.get("config", {}).get("metadata") or {}
    first, delivered = int(stream["state"]["first_seq"]), int(position["delivered"]["stream_seq"])
    pending = int(position["num_pending"])
    backlog = pending + int(position["num_ack_pending"])
    floor = int(position["ack_floor"]["stream_seq"])
    at = moment(stream["ts"]) if "ts" in stream else moment(stream["created"])
    return Capture(
        at=at,
        backlog=backlog,
        oldest=await _raised(js, lane, max(first, floor + 1)) if backlog else None,
        unread=await _raised(js, lane, max(first, delivered + 1)) if pending else None,
        missed=int(metadata.get(MISSED, "0")) + (max(0, first - 1 - delivered) if durable else 0),
        missed_at=moment(metadata[MISSED_AT]) if MISSED_AT in metadata else None,
        movers=_movers(position, at),
        put_off=put_off(metadata, at),
    )


def _movers(position: Json, at: datetime) -> int:
    """Pulls that stand open; movers that are all at work have none, but were given something just now."""
    waiting = int(position.get("num_waiting", 0))
    active = position["delivered"].get("last_active")
    return waiting or int(active is not None and at - moment(active) < LATELY)


async def _raised(js: JetStream, lane: Pace, sequence: int) -> datetime | None:
    """When the first advisory from a position on was raised."""
    found = await js.first_at(lane, ADVISORIES_NAME, sequence, ">")
    return moment(found.time) if found else None
