"""How to reach a cluster and who we are, in the words of the two client libraries. Connects to nothing itself."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from headgate.brokers.base import Credentials, Refused
from headgate.brokers.kafka.tokens import Tokens
from headgate.brokers.kafka.values import KafkaConnection
from headgate.brokers.tls import tls_context

INVALID: Final = "CredentialsInvalid"
_OAUTH: Final = "OAUTHBEARER"
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", _OAUTH)
_CLIENT: Final = "headgate"


def settings(connection: KafkaConnection, credentials: Credentials, timeout: float) -> dict[str, Any]:
    """For librdkafka. It writes nothing anywhere: what it has to say comes as errors."""
    milliseconds = max(1000, round(timeout * 1000))
    return {
        "bootstrap.servers": ",".join(connection.bootstrap_servers),
        "client.id": _CLIENT,
        "security.protocol": _protocol(connection),
        "socket.timeout.ms": milliseconds,
        "socket.connection.setup.timeout.ms": milliseconds,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 5000,  # how long it goes on asking a controller that is gone
        "enable.metrics.push": False,
        "log_level": 0,
        **_sasl(connection, credentials),
        **_tls(credentials),
    }


def second_settings(connection: KafkaConnection, credentials: Credentials, timeout: float) -> dict[str, Any]:
    """For the other library."""
    found: dict[str, Any] = {
        "bootstrap_servers": ",".join(connection.bootstrap_servers).split(","),
        "client_id": _CLIENT,
        "security_protocol": _protocol(connection),
        "request_timeout_ms": max(1000, round(timeout * 1000)),
        "bootstrap_timeout_ms": max(1000, round(timeout * 1000)),
        "reconnect_backoff_max_ms": 1000,
    }
    if connection.tls:
        found["ssl_context"] = tls_context(credentials) or ssl.create_default_context()
    if connection.sasl:
        found["sasl_mechanism"] = connection.sasl
    if connection.sasl == _OAUTH:
        url, name, secret = _client(connection, credentials)
        found["sasl_oauth_token_provider"] = Tokens(url, (name, secret), timeout, tls_context(credentials))
    elif connection.sasl:
        found["sasl_plain_username"] = _text(credentials, "username")
        found["sasl_plain_password"] = _text(credentials, "password")
    return found


def _protocol(connection: KafkaConnection) -> str:
    secured = "SSL" if connection.tls else "PLAINTEXT"
    return f"SASL_{secured}" if connection.sasl else secured


def _sasl(connection: KafkaConnection, credentials: Credentials) -> Mapping[str, str]:
    if not connection.sasl:
        return {}
    if connection.sasl not in _MECHANISMS:
        raise Refused(INVALID, f"spec.kafka.sasl.mechanism: declare one of {', '.join(_MECHANISMS)}")
    if connection.sasl == _OAUTH:
        url, name, secret = _client(connection, credentials)
        return {
            "sasl.mechanism": _OAUTH,
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": url,
            "sasl.oauthbearer.client.id": name,
            "sasl.oauthbearer.client.secret": secret,
            **({"https.ca.pem": credentials.ca.decode()} if credentials.ca else {}),
        }
    return {
        "sasl.mechanism": connection.sasl,
        "sasl.username": _text(credentials, "username"),
        "sasl.password": _text(credentials, "password"),
    }


def _client(connection: KafkaConnection, credentials: Credentials) -> tuple[str, str, str]:
    """Who gives out tokens, and to whom."""
    if not connection.token_url.startswith("https://"):
        text = "spec.kafka.sasl: OAUTHBEARER needs the address from which tokens come, as https://...: secrets go there"
        raise Refused(INVALID, text)
    return connection.token_url, _text(credentials, "client-id"), _text(credentials, "client-secret")


def _text(credentials: Credentials, key: str) -> str:
    try:
        found = credentials.values[key].decode().strip()
    except (KeyError, UnicodeDecodeError):
        found = ""
    if not found:
        raise Refused(INVALID, f"key {key} of the credentials' Secret is missing or no text; put it in")
    return found


def _tls(credentials: Credentials) -> Mapping[str, str]:
    found = {"ssl.ca.pem": credentials.ca.decode()} if credentials.ca else {}
    if credentials.client:
        tls_context(credentials)
        found["ssl.certificate.pem"] = credentials.client["tls.crt"].decode()
        found["ssl.key.pem"] = credentials.client["tls.key"].decode()
    return found
