"""Which part carries out a change. Decides nothing."""

from headgate.brokers.base import Refused
from headgate.brokers.kafka.groups import Groups
from headgate.brokers.kafka.resources import TOPIC, KafkaGroup, KafkaTopic
from headgate.brokers.kafka.topics import Topics
from headgate.core.changes import Action, Change
from headgate.core.resource import Observed


class Writer:
    """The only place from which anything in the broker is changed."""

    def __init__(self, topics: Topics, groups: Groups) -> None:
        self._topics, self._groups = topics, groups

    async def apply(self, change: Change) -> Observed | None:
        """One change; safe to repeat."""
        if change.action is Action.DELETE:
            await (self._topics if change.key.kind == TOPIC else self._groups).delete(change)
            return None
        creating = change.action is Action.CREATE
        match change.after:
            case KafkaTopic() as topic:
                return await (self._topics.create if creating else self._topics.update)(change, topic)
            case KafkaGroup() as group:
                return await (self._groups.create if creating else self._groups.update)(change, group)
            case _:
                raise Refused("Unsupported", f"{change.key} is nothing that Kafka has")
