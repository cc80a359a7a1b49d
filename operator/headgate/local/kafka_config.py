"""What a Kafka server of a test reads, and what its clients have to say to be let in. Starts nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headgate.local.pki import Authority

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
LOGIN = "org.apache.kafka.common.security"
HOST = "127.0.0.1"
INTERNAL, CLIENT, CONTROLLER = "INTERNAL", "CLIENT", "CONTROLLER"


@dataclass(frozen=True, slots=True)
class Guard:
    """What the listener for clients demands; the default lets everybody in.

    Users get in by each of the mechanisms. OAUTHBEARER takes unsigned tokens: whoever says a name has it. With
    client certificates and no users the name is that of the certificate, `CN=...`. Where rights are checked only
    `superusers` have any at first; the internal listener, which wants nothing, has all of them.
    """

    users: Mapping[str, str] = field(default_factory=dict)  # passwords by name
    mechanisms: tuple[str, ...] = MECHANISMS
    tls: Authority | None = None  # who signs the server's certificate, and clients' too
    client_certificates: bool = False
    authorize: bool = False
    superusers: tuple[str, ...] = ()

    @property
    def sasl(self) -> bool:
        return bool(self.users) or "OAUTHBEARER" in self.mechanisms

    @property
    def scram(self) -> tuple[str, ...]:
        """The mechanisms whose passwords the server keeps itself."""
        return tuple(each for each in self.mechanisms if each.startswith("SCRAM-")) if self.users else ()

    @property
    def protocol(self) -> str:
        return ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")


@dataclass(frozen=True, slots=True)
class Seat:
    """One server's place among its peers."""

    number: int
    port: int
    internal_port: int
    controller_port: int


def server_text(seat: Seat, seats: Sequence[Seat], data: Path, guard: Guard, more: Mapping[str, str]) -> str:
    """The text of server.properties; `more` wins over everything of ours."""
    merged = {**_places(seat, seats, data, guard), **_small(len(seats)), **_guarded(guard, data), **more}
    return "".join(f"{key}={value}\n" for key, value in merged.items())


def _places(seat: Seat, seats: Sequence[Seat], data: Path, guard: Guard) -> dict[str, str]:
    ports = {CLIENT: seat.port, INTERNAL: seat.internal_port}
    listeners = [f"{name}://{HOST}:{port}" for name, port in ports.items()]
    protocols = {CLIENT: guard.protocol, INTERNAL: "PLAINTEXT", CONTROLLER: "PLAINTEXT"}
    return {
        "process.roles": "broker,controller",
        "node.id": str(seat.number),
        "controller.quorum.voters": ",".join(f"{s.number}@{HOST}:{s.controller_port}" for s in seats),
        "listeners": ",".join([*listeners, f"{CONTROLLER}://{HOST}:{seat.controller_port}"]),
        "advertised.listeners": ",".join(listeners),
        "listener.security.protocol.map": ",".join(f"{name}:{how}" for name, how in protocols.items()),
        "inter.broker.listener.name": INTERNAL,
        "controller.listener.names": CONTROLLER,
        "log.dirs": str(data),
    }


def _small(size: int) -> dict[str, str]:
    """As little as a server of a test needs, and nothing made by accident."""
    copies = str(min(size, 3))
    enough = "2" if size > 1 else "1"
    small = {
        "auto.create.topics.enable": "false",
        "broker.heartbeat.interval.ms": "1000",
        "broker.session.timeout.ms": "4000",  # a killed one is refused as a duplicate of itself for that long
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": "2097152",
        "log.cleaner.threads": "1",
        "num.io.threads": "4",
        "num.network.threads": "2",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": copies,
    }
    for topic in ("transaction.state.log", "share.coordinator.state.topic"):
        small |= {f"{topic}.replication.factor": copies, f"{topic}.min.isr": enough}
        small[f"{topic}.num.partitions"] = "1"
    return small


def _guarded(guard: Guard, data: Path) -> dict[str, str]:
    listener = f"listener.name.{CLIENT.lower()}"
    said: dict[str, str] = {}
    if guard.sasl:
        said[f"{listener}.sasl.enabled.mechanisms"] = ",".join(guard.mechanisms)
        for mechanism in guard.mechanisms:
            said[f"{listener}.{mechanism.lower()}.sasl.jaas.config"] = _login(mechanism, guard.users)
    if guard.tls:
        said |= {
            f"{listener}.ssl.keystore.type": "PEM",
            f"{listener}.ssl.keystore.location": str(data.parent / "server.pem"),
            f"{listener}.ssl.truststore.type": "PEM",
            f"{listener}.ssl.truststore.location": str(data.parent / "authority.pem"),
            f"{listener}.ssl.client.auth": "required" if guard.client_certificates else "none",
        }
    if guard.authorize:
        said["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        said["super.users"] = ";".join(f"User:{name}" for name in ("ANONYMOUS", *guard.superusers))
    return said


def _login(mechanism: str, users: Mapping[str, str]) -> str:
    if mechanism == "PLAIN":
        words = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        return f"{LOGIN}.plain.PlainLoginModule required {words};"
    if mechanism == "OAUTHBEARER":
        return f'{LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="server";'
    return f"{LOGIN}.scram.ScramLoginModule required;"


def write_certificates(directory: Path, guard: Guard) -> None:
    """What `server_text` names, where the guard wants TLS."""
    if guard.tls is None:
        return
    pair = guard.tls.issue("kafka")
    keystore = directory / "server.pem"
    keystore.touch(mode=0o600)
    keystore.write_bytes(pair.key + pair.certificate)
    (directory / "authority.pem").write_bytes(guard.tls.certificate)


def client_settings(bootstrap: str, guard: Guard, user: str = "", mechanism: str = "") -> dict[str, str]:
    """What a client of librdkafka has to be told to come in as this user; without a guard only where."""
    settings = {"bootstrap.servers": bootstrap, "security.protocol": guard.protocol}
    if guard.sasl:
        mechanism = mechanism or guard.mechanisms[0]
        settings["sasl.mechanisms"] = mechanism
        if mechanism == "OAUTHBEARER":
            settings["enable.sasl.oauthbearer.unsecure.jwt"] = "true"
            settings["sasl.oauthbearer.config"] = f"principal={user or 'client'}"
        else:
            settings |= {"sasl.username": user, "sasl.password": guard.users.get(user, "")}
    if guard.tls:
        settings["ssl.ca.pem"] = guard.tls.certificate.decode()
        if guard.client_certificates:
            pair = guard.tls.issue(user or "client")
            settings["ssl.certificate.pem"] = pair.certificate.decode()
            settings["ssl.key.pem"] = pair.key.decode()
    return settings
