"""What the client library is given to connect with, made from named Secrets. Never writes a secret anywhere but into a private file that is gone at once."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nkeys  # type: ignore[import-untyped]  # it ships no types
from nats.aio.client import RawCredentials

from headgate.api import NatsConnection
from headgate.brokers.base import Credentials, Refused
from headgate.brokers.tls import tls_context

INVALID = "CredentialsInvalid"


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect; `login` is called with a check that must pass before a password leaves this process."""

    tls: ssl.SSLContext | None = field(default=None, repr=False)
    encrypted: bool = False  # a connection in plain text is refused
    hidden: tuple[str, ...] = field(default=(), repr=False)  # texts that no message may hold
    login: Callable[[Callable[[], None]], dict[str, Any]] = field(default=lambda _check: {}, repr=False)

    def scrub(self, text: str) -> str:
        """The text without anything secret."""
        for secret in self.hidden:
            text = text.replace(secret, "***")
        return text


def options(connection: NatsConnection, credentials: Credentials) -> Options:
    """How to connect with these Secrets; Refused(CredentialsInvalid) when they cannot be used at all."""
    schemes = {server.partition("://")[0] for server in connection.servers}
    hidden, login = _login(credentials)
    return Options(
        tls=tls_context(credentials),
        encrypted=connection.tls is not None or bool(schemes & {"tls", "wss"}),
        hidden=hidden,
        login=login,
    )


def _login(
    credentials: Credentials,
) -> tuple[tuple[str, ...], Callable[[Callable[[], None]], dict[str, Any]]]:
    values = {key: _text(key, value) for key, value in credentials.values.items()}
    if "creds" in values:
        return _creds(values["creds"])
    if "nkey" in values:
        seed = _seed("nkey", values["nkey"])
        return (seed,), lambda _check: {"nkeys_seed_str": seed}
    if "token" in values:
        token = values["token"].strip()
        return (token,), lambda check: {"token": _guarded(check, token)}
    if "username" in values and "password" in values:
        user, password = values["username"], values["password"].rstrip("\r\n")
        return (password,), lambda check: {"user": user.strip(), "password": _guarded(check, password)}
    if values:
        raise Refused(
            INVALID, "the Secret has none of the keys creds, nkey, token, username and password; add one"
        )
    return (), lambda _check: {}


def _creds(text: str) -> tuple[tuple[str, ...], Callable[[Callable[[], None]], dict[str, Any]]]:
    jwt, seed = _block(text, "NATS USER JWT"), _seed("creds", _block(text, "USER NKEY SEED"))
    if not jwt:
        raise Refused(INVALID, "key creds of the Secret is not a NATS credentials file; it holds no user JWT")
    plain = f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END\n-----BEGIN USER NKEY SEED-----\n{seed}\n------END\n"
    return (jwt, seed), lambda _check: {"user_credentials": RawCredentials(plain)}


def _block(text: str, title: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    starts = [number for number, line in enumerate(lines) if f"BEGIN {title}" in line]
    rest = lines[starts[0] + 1 :] if starts else []
    return next((line for line in rest if line), "")


def _seed(key: str, text: str) -> str:
    seed = text.strip()
    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except Exception:  # noqa: BLE001  (the library raises errors of many kinds, some of which quote the seed)
        raise Refused(
            INVALID, f"key {key} of the Secret holds no usable nkey seed; put the right one in"
        ) from None
    return seed


def _text(key: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused(INVALID, f"key {key} of the Secret is not text; put the right content in") from None


def _guarded(check: Callable[[], None], secret: str) -> Callable[[], str]:
    def reveal() -> str:
        check()
        return secret

    return reveal
