"""What topics of dead letters hold, by the offsets of their partitions. Reads no dead letter."""

from collections.abc import Collection, Mapping

from headgate.brokers.kafka.admin import TopicView
from headgate.brokers.kafka.faults import Fault, unread
from headgate.brokers.kafka.reading import Reader
from headgate.brokers.kafka.spans import Span
from headgate.brokers.pace import Pace
from headgate.core.progress import DeadLetters, Holding, Room
from headgate.core.resource import Key, Unread


class Letterbox:
    """How much is in dead-letter topics; whose it is stands in the dead letters themselves."""

    def __init__(self, reader: Reader, lane: Pace) -> None:
        self._reader, self._lane = reader, lane

    async def dead_letters(self, queues: Collection[Key]) -> Mapping[Key, Holding | Unread]:
        """One value per topic that exists, in three requests for all of them."""
        views = await self._reader.views(self._lane, [key.name for key in queues])
        spans = await self._reader.spans(self._lane, views)
        return {key: _held(key, views[key.name], spans) for key in queues if key.name in views}


def _held(
    key: Key, view: TopicView | Fault, spans: Mapping[tuple[str, int], Span | Fault]
) -> Holding | Unread:
    """Kafka never refuses an entry for lack of room, so there is no bound to tell."""
    if isinstance(view, Fault):
        return unread(view, str(key), f"Describe on Topic {key.name}")
    depth = 0
    for part in view.partitions:
        span = spans[key.name, part.number]
        if isinstance(span, Fault):
            return unread(span, str(key), f"Describe on Topic {key.name}")
        depth += span.end - span.first
    return Holding((DeadLetters("", depth, None, ()),) if depth else (), Room(depth, 0))
