"""Settings of topics of Kafka that no portable field reaches, in Kafka's own words. Knows no kind."""

from typing import Annotated, Any, Final

from pydantic import Field

from headgate.api.common import ApiModel

UNMANAGED: Final = "Unmanaged"  # as a value: somebody else's business, never looked at and never changed
Config = Annotated[str, Field(max_length=1024)]


def config(key: str, text: str) -> Any:  # noqa: ANN401  (what Field gives)
    """A field that is called as Kafka calls it."""
    return Field(
        default=None,
        alias=key,
        description=f"{text} As text in Kafka's own words, or {UNMANAGED} to have it left as it is; at most 1024 "
        "characters. Left out: the broker's own.",
    )


class NativeKafkaTopic(ApiModel):
    """Configs of a topic of Kafka. A key without a value here has no override on the topic."""

    cleanup_policy: Config | None = config(
        "cleanup.policy", "How old events go: spec.compaction speaks of it."
    )
    compression_gzip_level: Config | None = config(
        "compression.gzip.level", "Level of gzip, where events are compressed so."
    )
    compression_lz4_level: Config | None = config(
        "compression.lz4.level", "Level of lz4, where events are compressed so."
    )
    compression_type: Config | None = config(
        "compression.type",
        "How the broker stores batches: producer keeps them as they come, else uncompressed, gzip, snappy, lz4 or zstd.",
    )
    compression_zstd_level: Config | None = config(
        "compression.zstd.level", "Level of zstd, where events are compressed so."
    )
    delete_retention_ms: Config | None = config(
        "delete.retention.ms", "How long a compacted topic keeps the mark of a deleted key, in milliseconds."
    )
    errors_deadletterqueue_group_enable: Config | None = config(
        "errors.deadletterqueue.group.enable",
        "Whether share groups may have the broker write dead letters here, true or false.",
    )
    file_delete_delay_ms: Config | None = config(
        "file.delete.delay.ms", "How long a file waits on disk after it was let go of, in milliseconds."
    )
    flush_messages: Config | None = config("flush.messages", "After how many events they are forced to disk.")
    flush_ms: Config | None = config("flush.ms", "After how long events are forced to disk, in milliseconds.")
    follower_replication_throttled_replicas: Config | None = config(
        "follower.replication.throttled.replicas",
        "Copies that are fetched at a bounded rate; never touched when left out, because tools that move partitions set it.",
    )
    index_interval_bytes: Config | None = config(
        "index.interval.bytes", "How often the index has an entry, in bytes."
    )
    leader_replication_throttled_replicas: Config | None = config(
        "leader.replication.throttled.replicas",
        "Copies that are handed out at a bounded rate; never touched when left out, because tools that move partitions set it.",
    )
    local_retention_bytes: Config | None = config(
        "local.retention.bytes", "With tiered storage, how much of a partition stays on the broker, in bytes."
    )
    local_retention_ms: Config | None = config(
        "local.retention.ms", "With tiered storage, how long events stay on the broker, in milliseconds."
    )
    max_compaction_lag_ms: Config | None = config(
        "max.compaction.lag.ms", "After how long an event is compacted at the latest, in milliseconds."
    )
    max_decompressed_message_bytes: Config | None = config(
        "max.decompressed.message.bytes", "Largest batch after it was unpacked, in bytes."
    )
    max_message_bytes: Config | None = config(
        "max.message.bytes", "Largest batch: spec.maxMessageSize speaks of it."
    )
    message_timestamp_after_max_ms: Config | None = config(
        "message.timestamp.after.max.ms",
        "How far the time of an event may lie in the future, in milliseconds.",
    )
    message_timestamp_before_max_ms: Config | None = config(
        "message.timestamp.before.max.ms",
        "How far the time of an event may lie in the past, in milliseconds.",
    )
    message_timestamp_type: Config | None = config(
        "message.timestamp.type", "Whose time an event has: CreateTime or LogAppendTime."
    )
    min_cleanable_dirty_ratio: Config | None = config(
        "min.cleanable.dirty.ratio",
        "Which share of a log has to be uncompacted before it is compacted, e.g. 0.5.",
    )
    min_compaction_lag_ms: Config | None = config(
        "min.compaction.lag.ms", "How long an event is kept from compaction at least, in milliseconds."
    )
    min_insync_replicas: Config | None = config(
        "min.insync.replicas", "Copies that must have an event: spec.minInSyncReplicas speaks of it."
    )
    preallocate: Config | None = config(
        "preallocate", "Whether files are made in full size at once, true or false."
    )
    remote_copy_lag_bytes: Config | None = config(
        "remote.copy.lag.bytes", "With tiered storage, how much may wait to be copied, in bytes."
    )
    remote_copy_lag_ms: Config | None = config(
        "remote.copy.lag.ms", "With tiered storage, how long an event may wait to be copied, in milliseconds."
    )
    remote_log_copy_disable: Config | None = config(
        "remote.log.copy.disable", "With tiered storage, whether nothing more is copied, true or false."
    )
    remote_log_delete_on_disable: Config | None = config(
        "remote.log.delete.on.disable",
        "With tiered storage, whether what was copied goes when it is switched off, true or false.",
    )
    remote_storage_enable: Config | None = config(
        "remote.storage.enable", "Whether the topic uses tiered storage, true or false."
    )
    retention_bytes: Config | None = config(
        "retention.bytes", "How much a partition keeps: spec.retention.maxBytes speaks of it."
    )
    retention_ms: Config | None = config(
        "retention.ms", "How long events are kept: spec.retention.maxAge speaks of it."
    )
    segment_bytes: Config | None = config(
        "segment.bytes", "Size at which a new file begins; whole files are let go of."
    )
    segment_index_bytes: Config | None = config(
        "segment.index.bytes", "Size of the index of a file, in bytes."
    )
    segment_jitter_ms: Config | None = config(
        "segment.jitter.ms", "By how much the age of files differs at random, in milliseconds."
    )
    segment_ms: Config | None = config("segment.ms", "After how long a new file begins, in milliseconds.")
    unclean_leader_election_enable: Config | None = config(
        "unclean.leader.election.enable",
        "Whether a copy that lags behind may become the leader, which loses events, true or false.",
    )
