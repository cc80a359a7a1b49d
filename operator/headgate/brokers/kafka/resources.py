"""Topics and groups of Kafka as values, setting by setting. Pure.

A config of Kafka is a field named as in Kafka with underscores for dots. Overrides of the topic or group itself are all
that is compared: INHERITED is the value of a key without one, None is a key that is never touched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import ClassVar, Final, Self

from headgate.core.resource import FieldClass, Key, Resource, setting, settings_of

TOPIC: Final = "topic"
GROUP: Final = "group"
INHERITED: Final = "the broker's own"  # no override; reads as a sentence in plans

_AT_CREATION, _GROW_ONLY = FieldClass.AT_CREATION, FieldClass.GROW_ONLY


@dataclass(frozen=True)
class KafkaTopic(Resource):
    """A topic with every config of Kafka 4.4."""

    partitions: int | None = setting(_GROW_ONLY)
    replicas: int | str | None = setting()  # a text where partitions have different numbers of copies
    cleanup_policy: str | None = setting()
    compression_gzip_level: str | None = setting()
    compression_lz4_level: str | None = setting()
    compression_type: str | None = setting()
    compression_zstd_level: str | None = setting()
    delete_retention_ms: str | None = setting()
    errors_deadletterqueue_group_enable: str | None = setting()
    file_delete_delay_ms: str | None = setting()
    flush_messages: str | None = setting()
    flush_ms: str | None = setting()
    follower_replication_throttled_replicas: str | None = setting()
    index_interval_bytes: str | None = setting()
    leader_replication_throttled_replicas: str | None = setting()
    local_retention_bytes: str | None = setting()
    local_retention_ms: str | None = setting()
    max_compaction_lag_ms: str | None = setting()
    max_decompressed_message_bytes: str | None = setting()
    max_message_bytes: str | None = setting()
    message_timestamp_after_max_ms: str | None = setting()
    message_timestamp_before_max_ms: str | None = setting()
    message_timestamp_type: str | None = setting()
    min_cleanable_dirty_ratio: str | None = setting()
    min_compaction_lag_ms: str | None = setting()
    min_insync_replicas: str | None = setting()
    preallocate: str | None = setting()
    remote_copy_lag_bytes: str | None = setting()
    remote_copy_lag_ms: str | None = setting()
    remote_log_copy_disable: str | None = setting()
    remote_log_delete_on_disable: str | None = setting()
    remote_storage_enable: str | None = setting()
    retention_bytes: str | None = setting()
    retention_ms: str | None = setting()
    segment_bytes: str | None = setting()
    segment_index_bytes: str | None = setting()
    segment_jitter_ms: str | None = setting()
    segment_ms: str | None = setting()
    unclean_leader_election_enable: str | None = setting()

    bears_mark: ClassVar[bool] = False

    @classmethod
    def word(cls, name: str) -> str:
        """Configs are called as in Kafka."""
        return _WORDS.get(name, name)


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A topic of a group's own, in which its events wait for their next attempt or come back for it."""

    name: str
    partitions: int | None = None  # None: as many as the group's topic has
    copies: int | str | None = None
    configs: tuple[tuple[str, str], ...] = ()  # by Kafka's word, sorted

    def met_by(self, found: "Step") -> bool:
        """Whether the topic is as it should be; one that has more partitions or other overrides beside is."""
        enough = self.partitions is None or (found.partitions or 0) >= self.partitions
        copied = self.copies is None or self.copies == found.copies
        return self.name == found.name and enough and copied and set(self.configs) <= set(found.configs)

    def __str__(self) -> str:
        known = {"partitions": self.partitions, "copies": self.copies, **dict(self.configs)}
        told = ", ".join(f"{word} {value}" for word, value in known.items() if value is not None)
        return f"{self.name} ({told})" if told else self.name


@dataclass(frozen=True)
class KafkaGroup(Resource):
    """The positions of a group in one topic with the topics of its retries, and the configs that the broker keeps for it."""

    start: str | None = setting(_AT_CREATION)  # earliest, latest, time or resumed
    start_time: datetime | None = setting(_AT_CREATION)
    start_offsets: tuple[tuple[int, int], ...] | None = setting(_AT_CREATION)  # partition, next offset
    covered: int | None = setting(_GROW_ONLY)  # partitions in which the group has a position
    positions: str | None = setting()  # whether they last: a word of keeping.py
    ladder: tuple[Step, ...] | None = setting()  # sorted; a step that is not declared any more stays
    consumer_assignment_interval_ms: str | None = setting()
    consumer_heartbeat_interval_ms: str | None = setting()
    consumer_session_timeout_ms: str | None = setting()
    errors_deadletterqueue_copy_record_enable: str | None = setting()
    errors_deadletterqueue_topic_name: str | None = setting()
    share_assignment_interval_ms: str | None = setting()
    share_auto_offset_reset: str | None = setting()
    share_delivery_count_limit: str | None = setting()
    share_heartbeat_interval_ms: str | None = setting()
    share_isolation_level: str | None = setting()
    share_partition_max_record_locks: str | None = setting()
    share_record_lock_duration_ms: str | None = setting()
    share_renew_acknowledge_enable: str | None = setting()
    share_session_timeout_ms: str | None = setting()
    streams_assignment_interval_ms: str | None = setting()
    streams_assignor_name: str | None = setting()
    streams_heartbeat_interval_ms: str | None = setting()
    streams_initial_rebalance_delay_ms: str | None = setting()
    streams_num_standby_replicas: str | None = setting()
    streams_rack_aware_assignment_tags: str | None = setting()
    streams_session_timeout_ms: str | None = setting()

    bears_mark: ClassVar[bool] = False
    holds_data: ClassVar[bool] = False
    reads: ClassVar[bool] = True
    resumes: ClassVar[str] = "OffsetsExpired"
    kept_up: ClassVar[frozenset[str]] = frozenset({"covered", "ladder", "positions"})

    @classmethod
    def word(cls, name: str) -> str:
        """Configs are called as in Kafka."""
        return _WORDS.get(name, name)

    @classmethod
    def said(cls, name: str, value: object) -> str:
        """Topics by their names, each with what it is like."""
        if name == "ladder" and isinstance(value, tuple):
            return "; ".join(map(str, value)) or "no topics of its own"
        return super().said(name, value)

    def meets(self, name: str, found: object) -> bool:
        """Topics of earlier waits may be there beside those that are declared: somebody may still put events there."""
        if name != "ladder":
            return super().meets(name, found)
        there = found if isinstance(found, tuple) else ()
        return all(any(step.met_by(each) for each in there) for step in self.ladder or ())

    def reminded(self, position: str) -> Self:
        """The same group with where it was: some of its positions may have expired."""
        return replace(self, start_offsets=parsed(position)) if position else self

    def resumed_at(self, position: str, identity: str) -> Self:
        """The same group, continuing with the first offset that was not settled.

        Where no position was seen there is no moment of making to go back to either: the broker keeps none, so a group
        that was to begin with new events begins with the oldest, repeats rather than gaps.
        """
        del identity
        if position:
            return replace(self, start="resumed", start_offsets=parsed(position))
        return replace(self, start="earliest") if self.start == "latest" else self


_NOT_CONFIGS: Final = frozenset(
    {"partitions", "replicas", "start", "start_time", "start_offsets", "covered", "positions", "ladder"}
)
# Tools that move partitions write these while they do, and take them away again.
NEVER_TOUCHED: Final = frozenset(
    {"follower.replication.throttled.replicas", "leader.replication.throttled.replicas"}
)
_LISTS: Final = frozenset({"cleanup.policy"})


def _words(kind: type[Resource]) -> Mapping[str, str]:
    names = (each.name for each in fields(kind) if each.name in settings_of(kind))
    return {name.replace("_", "."): name for name in names if name not in _NOT_CONFIGS}


TOPIC_CONFIGS: Final = _words(KafkaTopic)  # Kafka's word: field
GROUP_CONFIGS: Final = _words(KafkaGroup)
_WORDS: Final = {name: key for known in (TOPIC_CONFIGS, GROUP_CONFIGS) for key, name in known.items()}


def normal(key: str, value: str) -> str:
    """One text for values that mean the same: the order in a list says nothing."""
    return ",".join(sorted(filter(None, map(str.strip, value.split(","))))) if key in _LISTS else value


def configs_of(resource: KafkaTopic | KafkaGroup) -> Iterator[tuple[str, str]]:
    """Every key about which something is said, as Kafka writes it, with its override or INHERITED."""
    known = TOPIC_CONFIGS if isinstance(resource, KafkaTopic) else GROUP_CONFIGS
    for key, name in known.items():
        value: str | None = getattr(resource, name)
        if value is not None:
            yield key, value


def topic_key(name: str) -> Key:
    return Key(TOPIC, name)


def group_key(topic: str, group: str) -> Key:
    """A group's positions in one topic; the group itself may read others."""
    return Key(GROUP, f"{topic}/{group}")


def split(key: Key) -> tuple[str, str]:
    """Topic and group of a group's key; no topic of Kafka has a slash in its name."""
    topic, _, group = key.name.partition("/")
    return topic, group


def written(offsets: Mapping[int, int]) -> str:
    """Positions as a checkpoint: the next offset of every partition."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))


def parsed(position: str) -> tuple[tuple[int, int], ...]:
    """The positions in a checkpoint."""
    pairs = (part.partition(":") for part in position.split(",") if part)
    return tuple((int(partition), int(offset)) for partition, _, offset in pairs)
