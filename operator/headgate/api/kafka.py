"""How to reach a Kafka cluster, as users write it. Knows no kind."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.common import ApiModel, SecretRef
from headgate.api.rules import SERVER_ADDRESS, TOKENS_FOR_BEARERS, Reason, Rule
from headgate.api.tls import Tls
from headgate.api.types import ListOf, Text

_SERVER = Text(
    "^[]A-Za-z0-9_.:[-]+:[0-9]{1,5}$",
    "write host and port, e.g. kafka-0.kafka:9092; what encrypts goes into tls, who logs in into sasl",
    SERVER_ADDRESS,
    256,
)
_TOKENS = Text(
    "^https://[^@ ]+$",
    "write an address like https://login.example/oauth2/token: secrets go there",
    SERVER_ADDRESS,
    512,
)


class SaslMechanism(StrEnum):
    """How Headgate proves who it is, in the words of Kafka."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class Sasl(ApiModel):
    """Who logs in, and how."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            TOKENS_FOR_BEARERS,
            "(self.mechanism == 'OAUTHBEARER') == has(self.tokenURL)",
            "tokenURL and mechanism: OAUTHBEARER belong together: write both or neither",
            ".tokenURL",
            Reason.INVALID,
            lambda self: (self.mechanism is SaslMechanism.OAUTHBEARER) == (self.token_url is not None),
        ),
    )

    mechanism: SaslMechanism = Field(
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER: with tokens for client credentials."
    )
    credentials_secret_ref: SecretRef = Field(
        description="Secret of this namespace with keys username and password; with OAUTHBEARER with keys client-id "
        "and client-secret."
    )
    token_url: Annotated[str, Field(min_length=1, max_length=512), _TOKENS] | None = Field(
        default=None,
        alias="tokenURL",
        description="Who gives out tokens, with OAUTHBEARER, e.g. https://login.example/oauth2/token. At most 512 "
        "characters. Left out: no tokens are used.",
    )


class KafkaCluster(ApiModel):
    """How to reach a Kafka cluster, version 4 or newer."""

    credentials_field: ClassVar[str] = "sasl.credentialsSecretRef"  # see eventbroker.py

    bootstrap_servers: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256), _SERVER], ...], ListOf("atomic")
    ] = Field(
        min_length=1,
        max_length=16,
        description="Host and port of brokers of the one cluster, of which one has to answer. 1 to 16, each at most 256 "
        "characters.",
    )
    sasl: Sasl | None = Field(default=None, description="Who logs in, and how. Left out: without logging in.")
    tls: Tls | None = Field(
        default=None,
        description="Encrypt the connection; {} is enough where the authorities that the operator's image trusts signed "
        "the brokers' certificates. Left out: it is not encrypted.",
    )

    @property
    def credentials_secret_ref(self) -> SecretRef | None:
        """Where the credentials are."""
        return self.sasl.credentials_secret_ref if self.sasl else None
