"""Keys and signed claims of a NATS operator, made on the spot. Test material only."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nkeys  # type: ignore[import-untyped]  # it ships no types


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An nkey."""

    seed: str
    public: str

    def sign(self, data: bytes) -> bytes:
        """The signature."""
        signature: bytes = nkeys.from_seed(bytearray(self.seed.encode())).sign(data)
        return signature


def key_pair(prefix: int) -> KeyPair:
    """A new nkey of a kind."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), prefix)
    return KeyPair(seed.decode(), nkeys.from_seed(bytearray(seed)).public_key.decode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(issuer: KeyPair, subject: KeyPair, name: str, claims: Mapping[str, Any]) -> str:
    """A JWT as NATS wants it."""
    body: dict[str, Any] = {"iat": 1_700_000_000, "iss": issuer.public, "name": name, "sub": subject.public}
    body["nats"] = {**claims, "version": 2}
    body["jti"] = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    head = _base64(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    text = f"{head}.{_base64(json.dumps(body).encode())}"
    return f"{text}.{_base64(issuer.sign(text.encode()))}"


def credentials_file(jwt: str, user: KeyPair) -> str:
    """What a person downloads."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )


@dataclass(frozen=True, slots=True)
class Realm:
    """A server's configuration, two users of it, and one whom it does not know."""

    config: str
    user: str
    colleague: str
    stranger: str


def realm() -> Realm:
    """An operator with one account that may use JetStream."""
    operator, account, system = (
        key_pair(nkeys.PREFIX_BYTE_OPERATOR),
        key_pair(nkeys.PREFIX_BYTE_ACCOUNT),
        key_pair(nkeys.PREFIX_BYTE_ACCOUNT),
    )
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    jetstream = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    limits = {**unlimited, "wildcards": True}
    accounts = {
        account.public: signed(
            operator, account, "shop", {"type": "account", "limits": {**limits, **jetstream}}
        ),
        system.public: signed(operator, system, "system", {"type": "account", "limits": limits}),
    }
    preload = "\n".join(f"{key}: {jwt}" for key, jwt in accounts.items())
    config = (
        f"operator: {signed(operator, operator, 'operator', {'type': 'operator'})}\n"
        f"system_account: {system.public}\nresolver: MEMORY\nresolver_preload {{\n{preload}\n}}\n"
    )
    return Realm(config, _user(account), _user(account), _user(key_pair(nkeys.PREFIX_BYTE_ACCOUNT)))


def _user(account: KeyPair) -> str:
    user = key_pair(nkeys.PREFIX_BYTE_USER)
    claims = {"type": "user", "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
    return credentials_file(signed(account, user, "headgate", claims), user)
