"""What manifests say in Kafka's own words, as the values that translating and connecting take. Pure: knows no client library."""

from collections.abc import Mapping

from headgate.api import UNMANAGED, ApiModel, FilterBy, KafkaCluster, RetryDriver
from headgate.api.consumergroup import ConsumerGroupSpec
from headgate.api.eventtopic import EventTopicSpec
from headgate.brokers.kafka.resources import GROUP_CONFIGS, TOPIC_CONFIGS
from headgate.brokers.kafka.values import KafkaConnection, KafkaGroupNative, KafkaTopicNative


def connection_of(declared: KafkaCluster) -> KafkaConnection:
    """Where the servers are and how to speak to them."""
    sasl = declared.sasl
    return KafkaConnection(
        declared.bootstrap_servers,
        sasl=str(sasl.mechanism) if sasl else "",
        tls=declared.tls is not None,
        token_url=(sasl.token_url or "") if sasl else "",
    )


def topic_native(spec: EventTopicSpec) -> KafkaTopicNative:
    """Configs of a topic beyond the portable fields."""
    kafka = spec.native.kafka if spec.native else None
    return KafkaTopicNative(_configs(kafka, TOPIC_CONFIGS)) if kafka else KafkaTopicNative()


def group_native(spec: ConsumerGroupSpec) -> KafkaGroupNative:
    """How a group is read, and its configs."""
    kafka = spec.native.kafka if spec.native else None
    if kafka is None:
        return KafkaGroupNative()
    return KafkaGroupNative(
        _configs(kafka, GROUP_CONFIGS),
        filter_by_worker=kafka.filter_by is FilterBy.WORKER,
        client_retries=kafka.retry is not None and kafka.retry.driver is RetryDriver.CLIENT,
    )


def _configs(native: ApiModel, known: Mapping[str, str]) -> Mapping[str, str | None]:
    """By Kafka's names; None: never touched."""
    written = native.model_dump(by_alias=True, exclude_none=True)
    return {key: None if value == UNMANAGED else value for key, value in written.items() if key in known}
