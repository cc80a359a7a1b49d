"""What `headgate local up` says where a broker's programs cannot be had: what is missing and what to do."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

JAVA_17 = "echo 'openjdk version \"17.0.1\"' >&2"
JAVA_11 = "echo 'openjdk version \"11.0.1\"' >&2"
JAVA_8 = "echo 'java version \"1.8.0_401\"' >&2"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with nothing on PATH but these programs."""

    broker: str
    says: str
    scripts: Mapping[str, str] = field(default_factory=dict)
    real: tuple[str, ...] = ()


MACHINES = {
    "a broker that is none": Machine("redis", "no such broker here: redis; there are nats, kafka, rabbitmq"),
    "Kafka without Java": Machine("kafka", "Kafka needs Java 17 or newer"),
    "Kafka with a Java that is too old": Machine("kafka", "is Java 11: install a JRE", {"java": JAVA_11}),
    "Kafka with a Java that counts otherwise": Machine("kafka", "is Java 8: install", {"java": JAVA_8}),
    "Kafka without Maven": Machine("kafka", "mvn not found: install Maven", {"java": JAVA_17}),
    "Kafka where Maven fails": Machine(
        "kafka",
        "fetching Kafka 4.4.0 failed:\nno network",
        {"java": JAVA_17, "mvn": "echo no network; exit 1"},
    ),
    "Kafka where Maven brings something else": Machine(
        "kafka", "not as pinned for Kafka 4.4.0", {"java": JAVA_17, "mvn": "true"}
    ),
    "RabbitMQ without unshare": Machine("rabbitmq", "unshare cannot be run"),
    "RabbitMQ without rights": Machine(
        "rabbitmq",
        "become root, or allow unprivileged user namespaces (unshare failed)",
        {"unshare": "echo unshare failed >&2; exit 1"},
    ),
    "RabbitMQ where there is no apt": Machine(
        "rabbitmq", "apt-get and dpkg not found: RabbitMQ comes as Debian packages", real=("unshare", "true")
    ),
    "RabbitMQ where apt knows no mirror": Machine(
        "rabbitmq",
        "apt on this machine knows no mirror of Debian: set HEADGATE_DEBIAN_MIRROR",
        {"apt-get": "true", "dpkg": "true"},
        ("unshare", "true"),
    ),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
async def test_what_is_missing_is_said_with_what_to_do(machine: Machine, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in machine.scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for name in machine.real:
        (programs / name).symlink_to(shutil.which(name) or "/missing")
    cache = tmp_path / "cache"
    code, said = await up(tmp_path, machine.broker, {"PATH": str(programs), "XDG_CACHE_HOME": str(cache)})
    assert (code, machine.says in said) == (1, True), said
    kept = {path.name for path in (cache / "headgate").glob("*")}
    assert {name for name in kept if not name.endswith(".lock")} == set(), "something half is left"


async def up(directory: Path, broker: str, variables: Mapping[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "headgate",
            "local",
            "up",
            "--dir",
            str(directory / "d"),
            "--brokers",
            broker,
        ),
        env={**{name: value for name, value in os.environ.items() if name != "JAVA_HOME"}, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
