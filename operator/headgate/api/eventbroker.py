"""EventBroker: a broker cluster, who may use it, and what it turned out to be able to do. Knows no other kind."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import Field

from headgate.api.common import (
    SAME_NAMESPACE,
    AllowedNamespaces,
    ApiModel,
    Conditions,
    Lost,
    Name,
    Record,
    SecretRef,
    Word,
)
from headgate.api.kafka import KafkaCluster
from headgate.api.rabbitmq import RabbitConnection
from headgate.api.rules import (
    BROKER_FIXED,
    BROKER_ONE_OF,
    NAMING_TEMPLATE,
    SERVER_ADDRESS,
    Reason,
    Rule,
    immutable,
)
from headgate.api.tls import Tls
from headgate.api.types import Capped, Duration, DurationText, Flag, Int, ListOf, Text

BROKER_BLOCKS: Final = ("nats", "kafka", "rabbitmq")  # one field of the spec per broker that works


def credentials_field(connection: ApiModel) -> str:
    """Where in its block a connection names the Secret to log in with."""
    return str(getattr(connection, "credentials_field", "credentialsSecretRef"))


_SERVER: Final = Text(
    "^(nats|tls|ws|wss)://[^@/ ]+$",
    "write an address like nats://host:4222 or tls://host:4222; credentials belong into credentialsSecretRef",
    SERVER_ADDRESS,
    256,
)
_TEMPLATE: Final = Text(
    "^([A-Za-z0-9_-]|[{]namespace[}])*[{]name[}]([A-Za-z0-9_-]|[{]namespace[}])*$",
    'write letters, digits, _ and - around "{name}", once, and where wanted "{namespace}"',
    NAMING_TEMPLATE,
    128,
)


class NatsConnection(ApiModel):
    """How to reach a NATS cluster with JetStream."""

    servers: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256), _SERVER], ...], ListOf("atomic")
    ] = Field(
        min_length=1,
        max_length=16,
        description="Addresses of servers of the one cluster, tried in turn. 1 to 16, each at most 256 characters.",
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret of this namespace whose keys say how to log in: creds | nkey | token | username and "
        "password. Left out: without logging in.",
    )
    tls: Tls | None = Field(
        default=None,
        description="Encrypt the connection. Left out: as the address and the server demand, with the authorities "
        "that the operator's image trusts.",
    )
    jet_stream_domain: Word | None = Field(
        default=None,
        description="The JetStream domain, where there is one. At most 253 characters. Left out: the server's own.",
    )


class Naming(ApiModel):
    """How objects are called in the broker."""

    atomic: ClassVar[bool] = True

    template: Annotated[str, Field(min_length=1, max_length=128), _TEMPLATE] = Field(
        default="{name}",
        description="Name in the broker, made of {name}, {namespace}, letters, digits, _ and -. At most 128 "
        'characters. Left out: "{name}".',
    )
    enforce: Flag = Field(
        default=False,
        description="Refuse an externalName that the template does not give, which keeps namespaces apart. "
        "Left out: false.",
    )


class NativeAllowed(ApiModel):
    """Settings of single brokers that other namespaces may use."""

    nats: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=64,
        description="Fields of native.nats that objects of other namespaces may set. At most 64. Left out: none.",
    )
    kafka: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=64,
        description="Fields of native.kafka that objects of other namespaces may set. At most 64. Left out: none.",
    )
    rabbitmq: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=64,
        description="Fields of native.rabbitmq that objects of other namespaces may set. At most 64. Left out: none.",
    )


class Tenancy(ApiModel):
    """What other namespaces may do. Its defaults hold as soon as other namespaces are allowed."""

    naming: Naming | None = Field(
        default=None,
        description='How objects are called in the broker; immutable. Left out: "{name}", not enforced.',
    )
    subject_prefixes: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=32,
        description='Beginnings of the subjects that a namespace may declare, e.g. "{namespace}."; at most 32, each '
        "at most 253 characters. Left out: any subject.",
    )
    adoption: AllowedNamespaces | None = Field(
        default=None,
        description="Whose objects may take over something that exists in the broker already. Left out: Same.",
    )
    deletion: AllowedNamespaces | None = Field(
        default=None,
        description="Whose deletionPolicy Delete and DeleteIfEmpty are honoured. Left out: Same.",
    )
    native_allowed: NativeAllowed | None = Field(
        default=None, description="Settings of single brokers that other namespaces may use. Left out: none."
    )
    protected_names: Annotated[tuple[Word, ...], ListOf("set")] | None = Field(
        default=None,
        max_length=64,
        description="Names in the broker that nobody may declare; * stands for any text. At most 64. Left out: KV_*, "
        "OBJ_*, $*, __*, _schemas and amq.* today, see status.effective.",
    )


class WorkerCredentials(ApiModel):
    """What workers log in with."""

    secret_name: Name = Field(
        description="Name that the Secret has, by convention, in each worker's namespace. Written into bindings, "
        "never read by Headgate. 1 to 253 characters."
    )


class Limits(ApiModel):
    """How hard Headgate may press the broker."""

    requests_per_second: Annotated[Int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Requests for keeping objects. 1 to 10000. Left out: 100 today."
    )
    progress_per_second: Annotated[Int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Requests for reading how far groups are. 1 to 10000. Left out: 50 today."
    )
    max_in_flight: Annotated[Int, Field(ge=1, le=1024)] | None = Field(
        default=None,
        description="Requests that wait for an answer at the same time. 1 to 1024. Left out: 64 today.",
    )
    timeout: Annotated[Duration, DurationText("100ms", "5m")] | None = Field(
        default=None, description="How long one request may take. From 100ms to 5m. Left out: 10s today."
    )


class Defaults(ApiModel):
    """What objects of this broker get that do not say."""

    replicas: Annotated[Int, Field(ge=1, le=9)] | None = Field(
        default=None,
        description="Copies of topics and dead-letter queues. 1 to 9. Left out: 3, or 1 where the cluster has fewer "
        "than 3 nodes.",
    )


def _broker_rules() -> tuple[Rule, ...]:
    names, blocks = " | ".join(BROKER_BLOCKS), ", ".join(f"has(self.{block})" for block in BROKER_BLOCKS)
    return (
        Rule(
            BROKER_ONE_OF,
            f"[{blocks}].exists_one(x, x)",
            f"say how to reach the broker in exactly one of: {names}",
            f".{BROKER_BLOCKS[0]}",
            Reason.REQUIRED,
            lambda self: sum(getattr(self, block) is not None for block in BROKER_BLOCKS) == 1,
        ),
        Rule(
            BROKER_FIXED,
            " && ".join(f"has(self.{block}) == has(oldSelf.{block})" for block in BROKER_BLOCKS),
            "the kind of broker cannot be changed; create another EventBroker instead",
            f".{BROKER_BLOCKS[0]}",
            Reason.FORBIDDEN,
        ),
        immutable(
            "tenancy.naming",
            "objects in the broker would lose their names; create another EventBroker instead",
        ),
    )


class EventBrokerSpec(ApiModel):
    """A connection to one broker cluster and who may use it."""

    checks: ClassVar[tuple[Rule, ...]] = _broker_rules()

    nats: NatsConnection | None = Field(
        default=None, description="A NATS cluster with JetStream. Left out: the broker is of another kind."
    )
    kafka: KafkaCluster | None = Field(
        default=None, description="A Kafka cluster. Left out: the broker is of another kind."
    )
    rabbitmq: RabbitConnection | None = Field(
        default=None,
        description="A virtual host of a RabbitMQ cluster. Left out: the broker is of another kind.",
    )
    allowed_namespaces: AllowedNamespaces = Field(
        default=SAME_NAMESPACE, description="Whose objects may refer to this broker. Left out: Same."
    )
    tenancy: Tenancy | None = Field(
        default=None,
        description="What other namespaces may do here. Left out: the defaults of each of its fields.",
    )
    worker_credentials: WorkerCredentials | None = Field(
        default=None,
        description="What workers log in with, for their bindings. Left out: bindings name no Secret.",
    )
    limits: Limits | None = Field(
        default=None,
        description="How hard Headgate may press the broker. Left out: the defaults of each of its fields.",
    )
    resync_interval: Annotated[Duration, DurationText("1s", "24h")] | None = Field(
        default=None,
        description="How often everything is compared with the broker; jitter only shortens it. From 1s to 24h. "
        "Left out: 120s today.",
    )
    defaults: Defaults | None = Field(
        default=None,
        description="What objects of this broker get that do not say. Left out: the defaults of each of its fields.",
    )


class Objects(ApiModel):
    """How many objects refer to the broker."""

    topics: Int = Field(default=0, description="EventTopics.")
    groups: Int = Field(default=0, description="ConsumerGroups.")
    dead_letter_queues: Int = Field(default=0, description="DeadLetterQueues.")


class EventBrokerStatus(ApiModel):
    """What the broker turned out to be."""

    observed_generation: Int | None = Field(
        default=None, description="The generation that this status speaks of."
    )
    conditions: Conditions = Field(default=(), description="What is true about the broker. At most 32.")
    type: str | None = Field(default=None, description="The kind of broker, e.g. NATS.")
    server_version: str | None = Field(default=None, description="The version that the server reports.")
    identity: str | None = Field(
        default=None, description="What tells this cluster from another one behind the same address."
    )
    capabilities: Annotated[tuple[str, ...], ListOf(), Capped(64)] = Field(
        default=(), description="What the cluster can do. The first 64."
    )
    objects: Objects | None = Field(default=None, description="How many objects refer to the broker.")
    effective: Mapping[str, str] | None = Field(
        default=None, max_length=64, description="Defaults as computed: field to value. At most 64."
    )
    record: Record | None = Field(
        default=None, description="What is remembered, the only part that is read back."
    )
    lost: Lost | None = Field(
        default=None,
        description="The estate that is gone, while EstateVanished; ended by one acknowledgement here.",
    )
