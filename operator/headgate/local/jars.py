"""Kafka as it is published: its jars, and a Java that can run them. Does not know how a server is configured."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from headgate.local.cache import Say, cache_root, locked, silent
from headgate.local.commands import finish
from headgate.local.errors import LocalError
from headgate.local.wheels import REQUIREMENTS

VERSIONS = ("4.2.0", "4.4.0")  # `requirements/` pins the hash of every jar
NEWEST = VERSIONS[-1]
OLDEST_JAVA = 17
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# kafka-tools-api is named as a dependency by releases that never published it; a server does without.
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.headgate</groupId><artifactId>kafka-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
      <exclusions><exclusion>
        <groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId>
      </exclusion></exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def kafka_classpath(version: str = "", say: Say = silent) -> str:
    """Every jar of a Kafka server, fetched on first use, as `java -cp` wants them."""
    version = version or NEWEST
    if version not in VERSIONS:
        raise LocalError("NoKafka", f"Kafka {version} is not pinned; there are {', '.join(VERSIONS)}")
    target = cache_root() / f"kafka-{version}"
    if not target.is_dir():
        with locked(target.name, say):
            if not target.is_dir():
                _fetch(version, target, say)
    return os.pathsep.join(map(str, sorted(target.glob("*.jar"))))


def find_java() -> Path:
    """The `java` of JAVA_HOME, else of PATH, new enough for a Kafka server."""
    home = os.environ.get("JAVA_HOME")
    found = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "java")
    version = _java_version(found)
    if version < OLDEST_JAVA:
        seen = f"{found} is Java {version}" if version else f"{found} does not run"
        raise LocalError(
            "NoJava",
            f"Kafka needs Java {OLDEST_JAVA} or newer and {seen}: install a JRE, put it on PATH or set JAVA_HOME",
        )
    return found


def _java_version(java: Path) -> int:
    """The major version; 0 where there is no Java."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found else 0


def _fetch(version: str, target: Path, say: Say) -> None:
    """Fetch into a folder that gets its name when every jar is there and is the one that was pinned."""
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalError(
            "NoMaven",
            f"mvn not found: install Maven, which fetches the jars of Kafka {version} (65 MB, once)",
        )
    say(f"fetching Kafka {version} through Maven (65 MB, under two minutes; once, kept in {target})")
    for stale in target.parent.glob(
        f".{target.name}-*"
    ):  # of somebody who was killed: only one is here at a time
        shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        pom, jars = scratch / "pom.xml", scratch / "jars"
        pom.write_text(POM.format(version=version))
        quiet = ("--batch-mode", "--quiet", "--strict-checksums", "--file", pom)
        options = ("-DincludeScope=runtime", f"-DoutputDirectory={jars}")
        what = f"fetching Kafka {version}"
        finish((maven, *quiet, GOAL, *options), what=what, reason="MavenFailed", log=scratch / "log", say=say)
        _check(version, jars)
        jars.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check(version: str, jars: Path) -> None:
    pinned = (REQUIREMENTS / f"kafka-{version}.sha256").read_text().split()
    wanted = dict(zip(pinned[1::2], pinned[::2], strict=True))
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.glob("*.jar")}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise LocalError("WrongJars", f"not as pinned for Kafka {version}: {', '.join(wrong)}")
