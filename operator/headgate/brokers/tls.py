"""What the TLS Secrets of an EventBroker amount to, for every kind of broker. Knows no vendor library and no connection."""

import os
import ssl
import tempfile

from headgate.brokers.base import Credentials, Refused


def tls_context(credentials: Credentials) -> ssl.SSLContext | None:
    """Whom to trust and what to show; None where no Secret says anything. Refused(CredentialsInvalid) where one cannot be used."""
    if not credentials.ca and not credentials.client:
        return None
    try:
        context = ssl.create_default_context(cadata=credentials.ca.decode() if credentials.ca else None)
        if credentials.client:
            _load_client(context, credentials.client["tls.crt"], credentials.client["tls.key"])
    except (ssl.SSLError, ValueError, KeyError):
        raise Refused(
            "CredentialsInvalid",
            "ca.crt, tls.crt or tls.key of the TLS Secrets is missing or no usable PEM; put the right ones in",
        ) from None
    return context


def _load_client(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """The library reads a chain from a file only; ours is readable by nobody else and gone when this returns."""
    handle, path = tempfile.mkstemp(prefix="headgate-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(path, password=lambda: "")
    finally:
        os.unlink(path)  # noqa: PTH108  (the counterpart of mkstemp)
