"""Empty stores for Kafka servers: formatted once by Kafka's own tool, then copied. Does not start a server.

Formatting costs a Java start of its own, and what it writes differs between two servers only in the three names of
`meta.properties`.
"""

import base64
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.commands import finish
from headgate.local.jars import NEWEST, find_java, kafka_classpath
from headgate.local.kafka_config import Guard, Seat, server_text

_LOGGER = "-Dorg.slf4j.simpleLogger"
JVM = (
    *("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k"),
    *(f"{_LOGGER}.defaultLogLevel=warn", f"{_LOGGER}.showDateTime=true"),
    f"{_LOGGER}.dateTimeFormat=HH:mm:ss.SSS",
)


def new_id() -> str:
    """An id as Kafka makes them for clusters, directories and topics."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def empty_store(data: Path, number: int, cluster: str, version: str, features: Mapping[str, int]) -> None:
    """Make `data` the store of a server that never ran, of this number in this cluster."""
    shutil.copytree(formatted(version, features), data)
    names = {"version": "1", "cluster.id": cluster, "node.id": str(number), "directory.id": new_id()}
    (data / "meta.properties").write_text("".join(f"{key}={value}\n" for key, value in names.items()))


def formatted(version: str, features: Mapping[str, int], say: Say = silent) -> Path:
    """A store as the tool leaves it, with these feature levels instead of the version's own; made on first use."""
    version = version or NEWEST
    levels = [f"{name}={level}" for name, level in sorted(features.items())]
    target = cache_root() / "-".join([f"kafka-formatted-{version}", *levels])
    if not target.is_dir():
        classpath = kafka_classpath(version, say)
        with locked(target.name, say):
            if not target.is_dir():
                _format(target, classpath, levels)
    return target


def _format(target: Path, classpath: str, levels: list[str]) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        seat, data = Seat(1, 1, 2, 3), scratch / "data"
        config = scratch / "server.properties"
        config.write_text(server_text(seat, [seat], data, Guard(mechanisms=()), {}))
        words = [word for level in levels for word in ("--feature", level)]
        tool = (str(find_java()), *JVM, "-cp", classpath, "kafka.tools.StorageTool", "format")
        command = (*tool, "-t", new_id(), "-c", str(config), *words)
        finish(command, what="formatting a store of Kafka", reason="FormatFailed", log=scratch / "log")
        data.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
