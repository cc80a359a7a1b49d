"""Settings of groups of Kafka that no portable field reaches, in Kafka's own words. Knows no kind."""

from enum import StrEnum

from pydantic import Field

from headgate.api.common import ApiModel
from headgate.api.kafka_topic import Config, config


class FilterBy(StrEnum):
    """Who picks the events that a filter names."""

    WORKER = "Worker"


class RetryDriver(StrEnum):
    """Who brings events back whose wait is over."""

    MOVER = "Mover"
    CLIENT = "Client"


class KafkaRetry(ApiModel):
    """How failed events come back."""

    driver: RetryDriver = Field(
        default=RetryDriver.MOVER,
        description="Mover: workers put a failed event into the topic of its wait, and movers put it on the group's own "
        "topic when that is over. Client: movers keep off, and workers read the topics of the waits themselves. Left out: "
        "Mover.",
    )


class NativeKafkaGroup(ApiModel):
    """How a group of Kafka is read, and configs that the broker keeps for it. A key without a value has no override."""

    filter_by: FilterBy | None = Field(
        default=None,
        description="Worker: every event is handed out, and workers pass over those that spec.filter does not name. "
        "Left out: a filter is refused, because Kafka has none.",
    )
    retry: KafkaRetry | None = Field(
        default=None, description="How failed events come back. Left out: the defaults of its fields."
    )
    consumer_assignment_interval_ms: Config | None = config(
        "consumer.assignment.interval.ms", "Least time between two assignments, in milliseconds."
    )
    consumer_heartbeat_interval_ms: Config | None = config(
        "consumer.heartbeat.interval.ms",
        "How often members of the consumer protocol say that they live, in milliseconds.",
    )
    consumer_session_timeout_ms: Config | None = config(
        "consumer.session.timeout.ms",
        "After how long a silent member of the consumer protocol is out, in milliseconds.",
    )
    streams_assignment_interval_ms: Config | None = config(
        "streams.assignment.interval.ms",
        "Kafka Streams: least time between two assignments, in milliseconds.",
    )
    streams_assignor_name: Config | None = config(
        "streams.assignor.name", "Kafka Streams: who assigns tasks."
    )
    streams_heartbeat_interval_ms: Config | None = config(
        "streams.heartbeat.interval.ms",
        "Kafka Streams: how often members say that they live, in milliseconds.",
    )
    streams_initial_rebalance_delay_ms: Config | None = config(
        "streams.initial.rebalance.delay.ms",
        "Kafka Streams: how long a new group waits for more members, in milliseconds.",
    )
    streams_num_standby_replicas: Config | None = config(
        "streams.num.standby.replicas", "Kafka Streams: standby copies of each task."
    )
    streams_rack_aware_assignment_tags: Config | None = config(
        "streams.rack.aware.assignment.tags", "Kafka Streams: tags by which standby copies are spread."
    )
    streams_session_timeout_ms: Config | None = config(
        "streams.session.timeout.ms", "Kafka Streams: after how long a silent member is out, in milliseconds."
    )
