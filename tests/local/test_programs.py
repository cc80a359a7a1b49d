"""Finding programs, starting and ending processes, and the pure parts of the kubelet."""

import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.local import podspec
from headgate.local.binaries import MODULE, kubernetes_version
from headgate.local.errors import LocalError
from headgate.local.podenv import MissingError, Place, expand, plan_start
from headgate.local.processes import Process, marked, new_mark, start, sweep
from headgate.local.volumes import project
from headgate.local.waiting import until

PAUSE = "import signal; signal.pause()"
IGNORE = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); [signal.pause() for _ in iter(int, 1)]"
ESCAPE = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print("ready", flush=True)
"""


def python(tmp_path: Path, mark: str, code: str) -> Process:
    return start("program", [sys.executable, "-c", code], log=tmp_path / "log", mark=mark)


async def until_ready(process: Process) -> None:
    async def ready() -> bool:
        return "ready" in process.tail()

    await until("the program is ready", ready)


async def test_a_process_says_its_exit_code(tmp_path: Path) -> None:
    assert await python(tmp_path, new_mark(), "raise SystemExit(7)").wait(10) == 7


async def test_stopping_asks_first(tmp_path: Path) -> None:
    assert await python(tmp_path, new_mark(), PAUSE).stop() == -signal.SIGTERM


async def test_stopping_kills_what_does_not_listen(tmp_path: Path) -> None:
    process = python(tmp_path, new_mark(), IGNORE)
    await until_ready(process)
    assert await process.stop(grace=0.1) == -signal.SIGKILL


async def test_a_sweep_finds_what_escaped_into_a_session_of_its_own(tmp_path: Path) -> None:
    mark, other = new_mark(), new_mark()
    bystander = python(tmp_path / "other", other, PAUSE)
    parent = python(tmp_path, mark, ESCAPE)
    await until_ready(parent)
    await parent.wait()
    (orphan,) = marked(mark)
    assert sweep(mark) == [orphan]
    assert marked(mark) == []
    assert bystander.running
    await bystander.kill()


def test_a_program_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="nothing cannot be started"):
        start("nothing", [tmp_path / "absent"], log=tmp_path / "log", mark=new_mark())


def test_every_staging_module_follows_the_one_version() -> None:
    version = kubernetes_version()
    assert version.startswith("1.")
    replaced = [
        line.split()[-1] for line in (MODULE / "go.mod").read_text().splitlines() if "=> k8s.io/" in line
    ]
    assert set(replaced) == {"v0" + version.removeprefix("1")}
    assert len(replaced) == 33


def test_files_of_a_volume_change_together(tmp_path: Path) -> None:
    assert project(tmp_path, {"a": b"1", "b/c": b"1"})
    seen = (tmp_path / "..data").resolve()
    assert project(tmp_path, {"a": b"2", "d": b"2"})
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")} == {"a", "d"}
    assert (tmp_path / "a").read_text() == "2"
    assert not seen.exists()
    assert not project(tmp_path, {"a": b"2", "d": b"2"})


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_a_file_of_a_volume_cannot_leave_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError, match="cannot be called"):
        project(tmp_path / "volume", {name: b""})


EXPANSIONS = {
    "a known name is its value": ("$(A)-x", "1-x"),
    "an unknown name stays": ("$(B)", "$(B)"),
    "a doubled dollar is one, and nothing is replaced": ("$$(A)", "$(A)"),
    "a value is not expanded again": ("$(C)", "$(A)"),
    "a dollar alone is a dollar": ("5$ (A)", "5$ (A)"),
}


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS.values(), ids=EXPANSIONS.keys())
def test_references_between_variables(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "C": "$(A)"}) == expected


@given(st.text())
def test_a_text_without_a_dollar_is_never_changed(text: str) -> None:
    plain = text.replace("$", "")
    assert expand(plain, {"A": "1"}) == plain


PATHS = {
    "a mount path as a whole word": ("/etc/b", "/real/v"),
    "the beginning of a path": ("--file=/etc/b/x.json", "--file=/real/v/x.json"),
    "a longer mount wins": ("/etc/b/deep/x", "/real/w/sub/x"),
    "another path that only begins alike stays": ("/etc/bb/x", "/etc/bb/x"),
    "a path that only ends alike stays": ("/opt/etc/b", "/opt/etc/b"),
    "two in one word": ("/etc/b:/etc/b/deep", "/real/v:/real/w/sub"),
    "a URL of a file": ("file:///etc/b/x", "file:///real/v/x"),
}


@pytest.mark.parametrize(("word", "expected"), PATHS.values(), ids=PATHS.keys())
def test_mount_paths_become_real_ones(word: str, expected: str) -> None:
    mounts = [
        {"name": "v", "mountPath": "/etc/b"},
        {"name": "w", "mountPath": "/etc/b/deep", "subPath": "sub"},
    ]
    pod = load(command=["program", word], volumeMounts=mounts)
    volumes = {"v": Path("/real/v"), "w": Path("/real/w")}
    assert plan_start(pod, pod.containers[0], Place("n", "127.0.0.1"), {}, volumes).words == (
        "program",
        expected,
    )


def load(**container: object) -> podspec.Pod:
    main = {"name": "main", "command": ["program"], **container}
    meta = {"namespace": "n", "name": "p", "uid": "u"}
    return podspec.load({"metadata": meta, "spec": {"containers": [main]}})


def test_a_missing_key_that_is_needed_is_named() -> None:
    pod = load(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
    with pytest.raises(MissingError, match="key k of secrets s is not there"):
        plan_start(pod, pod.containers[0], Place("n", "127.0.0.1"), {("secrets", "s"): {"other": b""}}, {})


UNSUPPORTED = {
    "a hook": ({"lifecycle": {"preStop": {}}}, "lifecycle of container main"),
    "a startup probe": ({"startupProbe": {"httpGet": {"port": 1}}}, "startupProbe of container main"),
    "an exec probe": ({"livenessProbe": {"exec": {"command": ["true"]}}}, "httpGet and tcpSocket"),
    "no command": ({"command": []}, "command of container main"),
    "an amount of a resource": (
        {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {}}}]},
        "resourceFieldRef",
    ),
}


@pytest.mark.parametrize(("container", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_cannot_be_kept_is_refused_by_name(container: dict[str, object], message: str) -> None:
    with pytest.raises(podspec.UnsupportedError, match=message):
        load(**container)
