"""What `headgate simulate` takes, refuses and prints."""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.cli import main
from headgate.cli.simulate import register

GROUP = """
apiVersion: headgate.dev/v1alpha1
kind: ConsumerGroup
metadata: {name: billing, namespace: shop}
spec:
  topicRef: {name: orders}
  start: {from: Earliest}
  freshness: {maxAge: 30s}
  concurrency: {perReplica: 10}
  scaling: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: w}, minReplicas: 2, maxReplicas: 9, drainWithin: 45s}
status:
  scaling: {current: 3}
  record: {learned: {eventsPerSecondPerReplica: "12"}}
"""
OTHER = GROUP.replace("billing", "mail")
SHORT = "second,rate\n0,40\n200,100\n300,40\n400,40\n"


@pytest.fixture
def short(tmp_path: Path) -> str:
    file = tmp_path / "short.csv"
    file.write_text(SHORT)
    return str(file)


def simulated(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The document of a run that is expected to succeed."""
    assert main(["simulate", "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_table_has_a_line_for_each_policy_in_the_order_asked_for(
    capsys: pytest.CaptureFixture[str], short: str
) -> None:
    assert main(["simulate", "--trace", short, "--against", "max,keda:1/4,ds2,max", "--why"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3:8]] == ["policy", "headgate", "max", "keda:1/4", "ds2"]
    assert "what headgate decided:" in lines


def test_a_run_without_rivals_is_about_headgate_alone(capsys: pytest.CaptureFixture[str], short: str) -> None:
    found = simulated(capsys, "--trace", short, "--against", "none")
    assert [run["policy"] for run in found["runs"]] == ["headgate"]


def test_a_document_has_every_second_and_every_change(capsys: pytest.CaptureFixture[str], short: str) -> None:
    found = simulated(capsys, "--trace", short, "--max-replicas", "7")
    begins = "2026-01-01T00:00:00+00:00"
    assert found["trace"] == {"name": "short", "seconds": 401, "seed": 1, "begins": begins}
    for run in found["runs"]:
        assert len(run["ages"]) == 401
        assert len(run["replicas"]) == run["events"] + 1
        assert max(each["replicas"] for each in run["replicas"]) <= 7
    assert found["runs"][0]["decisions"][0]["reason"]


def test_a_group_says_what_it_declares_and_what_its_status_has_learned(
    capsys: pytest.CaptureFixture[str], short: str, tmp_path: Path
) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(GROUP)
    found = simulated(capsys, "--trace", short, "--group", str(file))
    workers, terms = found["workers"], found["terms"]
    assert (workers["partitions"], workers["service_rate"], workers["replicas"]) == (None, 12, 3)
    assert (workers["concurrency"], workers["in_flight_limit"]) == (10, 90)
    assert (terms["promise"], terms["drain_within"], terms["minimum"], terms["maximum"]) == (30, 45, 2, 9)
    assert terms["learned"] == {"eventsPerSecondPerReplica": "12"}


def test_options_come_before_what_a_group_says(
    capsys: pytest.CaptureFixture[str], short: str, tmp_path: Path
) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(f"{GROUP}---{OTHER}")
    words = [
        "--name",
        "shop/mail",
        "--service-rate",
        "20",
        "--promise",
        "1m",
        "--min-replicas",
        "0",
        "--partitions",
        "6",
    ]
    found = simulated(capsys, "--trace", short, "--group", str(file), *words)
    workers, terms = found["workers"], found["terms"]
    assert (workers["partitions"], workers["service_rate"]) == (6, 20)
    assert (terms["promise"], terms["drain_within"], terms["minimum"]) == (60, 60, 0)


def test_what_had_to_be_assumed_is_said(
    capsys: pytest.CaptureFixture[str], short: str, tmp_path: Path
) -> None:
    file = tmp_path / "group.yaml"
    window = '{cron: "0 8 * * *", duration: 1h, minReplicas: 5}'
    declared = GROUP.split("status:", maxsplit=1)[0].replace("  freshness: {maxAge: 30s}\n", "")
    file.write_text(declared.replace("drainWithin: 45s", f"drainWithin: 45s, schedule: [{window}]"))
    assert main(["simulate", "--trace", short, "--group", str(file)]) == 0
    said = capsys.readouterr().err
    assert "50 are assumed" in said
    assert "spec.freshness is missing" in said
    assert "for spec.scaling.schedule the trace begins at 2026-01-01T00:00Z; see --begins" in said


@pytest.mark.parametrize(
    ("begins", "at"),
    [
        pytest.param(["--begins", "2026-11-23T06:58:20"], 100, id="UTC where nothing else is said"),
        pytest.param(["--begins", "2026-11-23T07:58:20+01:00"], 100, id="wherever the clock hangs"),
        pytest.param(["--begins", "2026-11-22T06:58:20Z"], None, id="on a Sunday it does not come"),
        pytest.param([], None, id="at midnight it is not on"),
    ],
)
def test_a_schedule_holds_from_the_time_of_day_at_which_it_begins(
    capsys: pytest.CaptureFixture[str], short: str, tmp_path: Path, begins: list[str], at: int | None
) -> None:
    window = '{cron: "0 8 * * 1-5", timeZone: Europe/Berlin, duration: 3m, minReplicas: 7}'
    file = tmp_path / "group.yaml"
    file.write_text(GROUP.replace("drainWithin: 45s", f"drainWithin: 45s, schedule: [{window}]"))
    found = simulated(capsys, "--trace", short, "--group", str(file), "--against", "max", *begins)
    raised = [each["second"] for each in found["runs"][0]["decisions"] if each["reason"] == "BelowMinimum"]
    assert len(raised) == (0 if at is None else 1)
    if at is not None:
        assert at <= raised[0] <= at + 5
    assert found["terms"]["windows"][0]["duration"] == 180


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], "--trace is missing", id="no trace"),
        pytest.param(["--trace", "tsunami"], "is no file, and no standard trace", id="an unknown trace"),
        pytest.param(
            ["--trace", "spike", "--against", "hpa"], "'hpa' is no policy; there are", id="an unknown rival"
        ),
        pytest.param(
            ["--trace", "spike", "--against", "keda:1/0"],
            "expected a number above 0, or a share",
            id="a threshold that is none",
        ),
        pytest.param(
            ["--trace", "spike", "--min-replicas", "30"],
            "the minimum of 30 replicas is above the maximum of 24",
            id="bounds the wrong way round",
        ),
        pytest.param(
            ["--trace", "spike", "--name", "shop/x"], "--name is given without --group", id="no group"
        ),
        pytest.param(
            ["--trace", "spike", "--group", "nowhere.yaml"], "nowhere.yaml", id="a manifest that is not there"
        ),
    ],
)
def test_misuse_is_told_with_what_was_expected(
    capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert main(["simulate", *words]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--partitions", "-1"], "--partitions: is '-1'; expected a whole number from 0 to 10000"),
        (["--max-replicas", "0"], "--max-replicas: is '0'; expected a whole number from 1 to 10000"),
        (["--service-rate", "0"], "--service-rate: is '0'; expected events per second, a number above 0"),
        (["--pod-start", "soon"], "--pod-start: is 'soon'; expected whole seconds up to a day"),
        (
            ["--begins", "eight"],
            "--begins: is 'eight'; expected a date and a time, such as 2026-11-23T07:30+01:00",
        ),
        (["--promise", "500ms"], "--promise: is '500ms'; expected whole seconds up to a day"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_an_option_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--trace", "spike", *words])
    assert (ended.value.code, expected in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "has no line after the first", id="an empty file"),
        pytest.param("time,value\n0,1\n", "line 1: is 'time,value'; expected", id="other columns"),
        pytest.param("second,rate\n5,1\n", "begins with second 5; expected second 0", id="no beginning"),
        pytest.param("second,rate\n0,1\n0,2\n", "line 3: second 0 comes after 0", id="twice the same second"),
        pytest.param("second,rate\n0,1,2\n", "line 2: has 3 columns; expected two", id="too many columns"),
        pytest.param("second,rate\n0,many\n", "line 2: rate is 'many'; expected", id="a rate in words"),
        pytest.param("second,rate\n0,-1\n", "line 2: rate is '-1'; expected", id="a rate below nothing"),
        pytest.param(
            "second,rate\n0,nan\n", "line 2: rate is 'nan'; expected", id="a rate that is no number"
        ),
        pytest.param("second,rate\n0.5,1\n", "line 2: second is '0.5'; expected", id="half a second"),
        pytest.param("second,rate\n0,1\n999999999,1\n", "line 3: second is", id="half a lifetime"),
    ],
)
def test_arrivals_that_cannot_be_read_are_named_by_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text)
    assert main(["simulate", "--trace", str(file)]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert str(file) in said


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(GROUP.replace("maxAge: 30s", "maxAge: soon"), "spec.freshness.maxAge", id="a bad field"),
        pytest.param(
            GROUP.replace("maxReplicas: 9", "maxReplicas: 1"), "spec.scaling.minReplicas", id="a rule"
        ),
        pytest.param("a: [", "is no YAML", id="no YAML"),
        pytest.param(
            f"{GROUP}---{OTHER}",
            "has 2 ConsumerGroups (shop/billing, shop/mail); expected one, or --name",
            id="two",
        ),
        pytest.param("kind: ConfigMap\n", "has 0 ConsumerGroups (none)", id="none"),
        pytest.param(
            GROUP[: GROUP.index("  scaling: {target")], "spec.scaling is missing; expected", id="no scaling"
        ),
    ],
)
def test_a_manifest_that_cannot_be_simulated_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, manifest: str, expected: str
) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(manifest)
    assert main(["simulate", "--trace", "spike", "--group", str(file)]) == 2
    assert expected in capsys.readouterr().err


def test_a_name_that_the_file_has_not_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(GROUP)
    assert main(["simulate", "--trace", "spike", "--group", str(file), "--name", "shop/mail"]) == 2
    assert "there are shop/billing" in capsys.readouterr().err


def test_a_picture_is_drawn(tmp_path: Path, short: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "what-if.png"
    assert main(["simulate", "--trace", short, "--out", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, short: str
) -> None:
    assert main(["simulate", "--trace", short, "--out", str(tmp_path / "x.docx")]) == 2
    assert "--out" in capsys.readouterr().err


def test_without_the_package_that_draws_its_extra_is_named(short: str) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from headgate.cli import main\n"
        f"sys.exit(main(['simulate', '--trace', {short!r}, '--against', 'none', '--out', 'x.png']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'headgate[local]'" in done.stderr) == (1, True)


def test_the_list_names_traces_and_policies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--list"]) == 0
    shown = capsys.readouterr().out
    assert [word for word in ("spike", "batch_idle", "keda-best", "ds2") if f"  {word} " not in shown] == []


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in (Path(__file__).parents[3] / "docs" / "simulate.md").read_text().splitlines()
        if line.startswith("headgate ")
    ],
)
def test_every_command_of_the_page_is_one_that_the_program_takes(line: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    register(parser)
    asked = parser.parse_args(shlex.split(line.partition("#")[0])[2:])
    assert asked.list or asked.trace
