"""What only RabbitMQ has: how to reach a virtual host, and settings that no portable field reaches. Knows no kind."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from headgate.api.common import ApiModel, SecretRef
from headgate.api.rules import NATIVE_COMBINATION, SERVER_ADDRESS, Reason, Rule
from headgate.api.tls import Tls
from headgate.api.types import Flag, Int, Size, SizeText, Text

_LONGEST: Final = 256
_MANAGEMENT: Final = Text(
    "^https?://[^@/?# ]+(/[^@?# ]*)?$",
    "write an address like https://host:15671; credentials belong into credentialsSecretRef",
    SERVER_ADDRESS,
    _LONGEST,
)
_AMQP: Final = Text(
    "^amqps?://[^@/?# ]+$",
    "write an address like amqps://host:5671; credentials belong into credentialsSecretRef, the virtual host into vhost",
    SERVER_ADDRESS,
    _LONGEST,
)


class RabbitConnection(ApiModel):
    """How to reach one virtual host of a RabbitMQ cluster."""

    management_url: Annotated[str, Field(min_length=1, max_length=_LONGEST), _MANAGEMENT] = Field(
        alias="managementURL",
        description="Address of the management API, without /api, e.g. https://rabbit:15671. At most 256 characters.",
    )
    amqp_url: Annotated[str, Field(min_length=1, max_length=_LONGEST), _AMQP] = Field(
        alias="amqpURL",
        description="Address for messages, e.g. amqps://rabbit:5671: for dead letters, and told to workers by their "
        "bindings. At most 256 characters.",
    )
    vhost: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        default="/", description="The virtual host. 1 to 253 characters. Left out: /."
    )
    policy_priority: Annotated[Int, Field(ge=0, le=1_000_000)] = Field(
        default=900,
        description="Priority of the policies that Headgate writes, one for each object: of the policies that fit an object "
        "RabbitMQ applies only that of the highest. 0 to 1000000. Left out: 900.",
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret of this namespace with keys username and password; the user needs the tag policymaker, see the "
        "page about RabbitMQ. Left out: without logging in.",
    )
    tls: Tls | None = Field(
        default=None,
        description="Whom to trust and who Headgate is, for addresses with https and amqps. Left out: the authorities that "
        "the operator's image trusts.",
    )


class NativeRabbitTopic(ApiModel):
    """Settings of the exchange and of the stream beside it."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            NATIVE_COMBINATION,
            "!has(self.segmentBytes) || !has(self.replay) || self.replay",
            "segmentBytes is of the replay stream, which replay: false does without",
            ".segmentBytes",
            Reason.INVALID,
            lambda self: self.segment_bytes is None or self.replay is not False,
        ),
    )

    replay: Flag | None = Field(
        default=None,
        description="Keep events in a stream beside the exchange, as long as retention says; a stream that is there is not "
        "taken away again. Left out: true.",
    )
    segment_bytes: Annotated[Size, SizeText("1Ki", "3Gi")] | None = Field(
        default=None,
        description="Size of a segment of the stream, of which retention takes away whole ones. From 1Ki to 3Gi. Left out: "
        "the server's own, 500 MB.",
    )


class RabbitRetry(StrEnum):
    """Where events wait between two attempts."""

    DELAYED_RETRY = "DelayedRetry"
    LADDER = "Ladder"


class NativeRabbitGroup(ApiModel):
    """Settings of the quorum queue that no portable field reaches."""

    retry: RabbitRetry | None = Field(
        default=None,
        description="DelayedRetry: the queue itself holds back what was rejected, which takes RabbitMQ 4.3. Ladder: workers "
        "hand it to a queue for each wait. Left out: DelayedRetry where the server can, else Ladder.",
    )
