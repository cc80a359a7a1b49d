"""How connections to brokers are encrypted, whichever kind they are of. Knows no kind."""

from pydantic import Field

from headgate.api.common import ApiModel, SecretRef


class Tls(ApiModel):
    """How the connection is encrypted and who proves what to whom."""

    ca_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with key ca.crt: who may have signed the server's certificate. Left out: the authorities "
        "that the operator's image trusts.",
    )
    client_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with keys tls.crt and tls.key: the certificate that Headgate shows to the server. "
        "Left out: none is shown.",
    )
