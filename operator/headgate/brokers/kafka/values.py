"""What a manifest says in Kafka's own words, as values. Pure: knows neither custom resources nor a client library."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KafkaTopicNative:
    """Settings of a topic beyond the portable ones. A value of None: never touch that key."""

    configs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KafkaGroupNative:
    """Settings of a group beyond the portable ones. A value of None: never touch that key."""

    configs: Mapping[str, str | None] = field(default_factory=dict)
    filter_by_worker: bool = False  # the declared filter is left to the worker
    client_retries: bool = False  # the workers keep the waits themselves, in topics of their own


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the servers are and how to speak to them; what is secret comes as Credentials."""

    bootstrap_servers: tuple[str, ...]
    sasl: str = ""  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; empty: none
    tls: bool = False
    token_url: str = ""  # OAUTHBEARER: who gives out tokens for client credentials
