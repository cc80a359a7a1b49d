"""What movers write about themselves into their durable, for the operator: lost advisories and why some wait. Pure."""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from headgate.brokers.messages import Kept
from headgate.brokers.nats.names import queue_of
from headgate.brokers.nats.times import moment, written
from headgate.core.moves import Delay
from headgate.core.progress import PutOff

MOVER: Final = "headgate_mover"  # the position in the capture stream that all movers share
MISSED: Final = "headgate.dev/missed"  # in its metadata: advisories lost unread, at most
MISSED_AT: Final = "headgate.dev/missed-at"
PUT_OFF: Final = "headgate.dev/put-off"  # why advisories wait, by queue: [reason, until when to believe it]
LASTING: Final = timedelta(seconds=15)  # what is believed for longer than this need not be written again
MOST: Final = 200  # queues told apart; the server bounds metadata, and of more than these nobody reads

Entries = dict[str, tuple[str, datetime]]


def put_off(metadata: Mapping[str, str], now: datetime) -> tuple[PutOff, ...]:
    """Why advisories wait, as movers said lately."""
    return tuple(PutOff(queue, reason) for queue, (reason, until) in _read(metadata).items() if until > now)


def told(metadata: Mapping[str, str], delays: Collection[Delay], now: datetime) -> dict[str, str] | None:
    """The metadata with what a mover has to say; None when all of it stands there already."""
    known = {queue: entry for queue, entry in _read(metadata).items() if entry[1] > now}
    news = {queue: (reason, until) for queue, reason, until in _sorted(delays, now)}
    if all(_stands(known.get(queue), entry, now) for queue, entry in news.items()):
        return None
    text = json.dumps({queue: [reason, written(until)] for queue, (reason, until) in (known | news).items()})
    return {**metadata, PUT_OFF: text}


def missed(metadata: Mapping[str, str], lost: int, at: str) -> dict[str, str]:
    """The metadata once so many more are known to be lost."""
    before = int(metadata.get(MISSED, "0"))
    return {**metadata, MISSED: str(before + lost), MISSED_AT: at}


def _sorted(delays: Collection[Delay], now: datetime) -> Iterator[tuple[str, str, datetime]]:
    """By queue, lack of room last and so above all else; when there are too many to name, the rest stands for all."""

    def place(delay: Delay) -> tuple[str, bool]:
        return queue_of(delay.address), delay.reason == Kept.FULL

    for number, delay in enumerate(sorted(delays, key=place)):
        yield queue_of(delay.address) if number < MOST else "", delay.reason, now + delay.left


def _stands(entry: tuple[str, datetime] | None, news: tuple[str, datetime], now: datetime) -> bool:
    return entry is not None and entry[0] == news[0] and entry[1] > min(news[1], now + LASTING)


def _read(metadata: Mapping[str, str]) -> Entries:
    """What stands there; nothing where somebody else has put it out of shape."""
    try:
        found: Mapping[str, Any] = json.loads(metadata.get(PUT_OFF) or "{}")
        return {str(queue): (str(reason), moment(until)) for queue, (reason, until) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
