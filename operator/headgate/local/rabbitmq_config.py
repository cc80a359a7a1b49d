"""What a RabbitMQ server of a test reads and is told first. Starts nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from headgate.local.chroot import HOME
from headgate.local.pki import Authority

HOST = "127.0.0.1"
MANAGEMENT = "rabbitmq_management"
CONSISTENT_HASH = "rabbitmq_consistent_hash_exchange"
Rights = tuple[str, str, str]  # patterns of names: configure, write, read
ALL: Rights = (".*", ".*", ".*")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whom the server lets in; without rights in a virtual host not there."""

    name: str
    password: str
    tags: str = ""  # comma-separated: administrator, monitoring, policymaker, management
    rights: Mapping[str, Rights] = field(default_factory=dict)  # by virtual host


ADMINISTRATOR = User("headgate", "headgate", "administrator", {"/": ALL})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a server is to be."""

    plugins: tuple[str, ...] = (CONSISTENT_HASH,)  # beside the management plugin
    vhosts: tuple[str, ...] = ()  # beside "/"; the administrator has all rights in each
    users: tuple[User, ...] = ()  # beside the administrator
    tls: Authority | None = None  # gives AMQP and management a second, encrypted port each
    client_certificates: bool = False  # whether those ports demand one of the same authority
    settings: Mapping[str, str] = field(default_factory=dict)  # lines of rabbitmq.conf; they win


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one server listens; the same over its whole life."""

    amqp: int
    management: int
    amqps: int
    management_tls: int
    distribution: int
    names: int  # of its own epmd


def write_files(own: Path, ports: Ports, wanted: Wanted) -> None:
    """Everything that the server reads, in the folder that it sees as its home."""
    own.mkdir(parents=True)
    plugins = ",".join((MANAGEMENT, *wanted.plugins))
    (own / "enabled_plugins").write_text(f"[{plugins}].\n")
    merged = {**_plain(ports), **(_encrypted(ports, wanted) if wanted.tls else {}), **wanted.settings}
    (own / "rabbitmq.conf").write_text("".join(f"{key} = {value}\n" for key, value in merged.items()))
    if wanted.tls:
        wanted.tls.issue("rabbitmq").write(own, "server")
        (own / "authority.crt").write_bytes(wanted.tls.certificate)


def _plain(ports: Ports) -> dict[str, str]:
    return {
        "listeners.tcp.local": f"{HOST}:{ports.amqp}",
        "management.tcp.ip": HOST,
        "management.tcp.port": str(ports.management),
        "default_user": ADMINISTRATOR.name,
        "default_pass": ADMINISTRATOR.password,
        "loopback_users": "none",
        "log.console": "true",
        "disk_free_limit.absolute": "100MB",
    }


def _encrypted(ports: Ports, wanted: Wanted) -> dict[str, str]:
    demand = str(wanted.client_certificates).lower()
    files = {"cacertfile": "authority.crt", "certfile": "server.crt", "keyfile": "server.key"}
    said = {
        "listeners.ssl.local": f"{HOST}:{ports.amqps}",
        "management.ssl.ip": HOST,
        "management.ssl.port": str(ports.management_tls),
    }
    for options in ("ssl_options", "management.ssl"):
        said |= {f"{options}.{key}": f"{HOME}/{name}" for key, name in files.items()}
        said[f"{options}.verify"] = "verify_peer" if wanted.client_certificates else "verify_none"
        said[f"{options}.fail_if_no_peer_cert"] = demand
    return said


def variables(ports: Ports) -> dict[str, str]:
    """The whole environment of the server; nothing of ours reaches it by chance."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "ERL_CRASH_DUMP": "/dev/null",
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(ports.names),
        "RABBITMQ_NODENAME": f"t{ports.amqp}@localhost",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_MNESIA_BASE": f"{HOME}/data",
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{HOME}/enabled_plugins",
        "RABBITMQ_CONFIG_FILE": f"{HOME}/rabbitmq.conf",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ALLOW_INPUT": "1",  # replaces the shell by the server, so that signals reach it
        "RABBITMQ_SERVER_START_ARGS": "-noinput",
    }


def first_words(wanted: Wanted) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What to PUT below /api/ once the server is up: paths with their bodies, in order."""
    for vhost in wanted.vhosts:
        yield f"vhosts/{quote(vhost, safe='')}", {}
        yield _permission(vhost, ADMINISTRATOR.name, ALL)
    for user in wanted.users:
        yield f"users/{quote(user.name, safe='')}", {"password": user.password, "tags": user.tags}
        for vhost, rights in user.rights.items():
            yield _permission(vhost, user.name, rights)


def _permission(vhost: str, name: str, rights: Rights) -> tuple[str, Mapping[str, str]]:
    body = dict(zip(("configure", "write", "read"), rights, strict=True))
    return f"permissions/{quote(vhost, safe='')}/{quote(name, safe='')}", body
