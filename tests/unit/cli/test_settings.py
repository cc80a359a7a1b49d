"""Which setting holds when several places say something."""

import argparse
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from headgate.cli import run
from headgate.settings import Settings


def test_the_command_line_goes_before_the_environment_which_goes_before_the_defaults() -> None:
    environment = {"HEADGATE_PORT": "9000", "HEADGATE_LOG_LEVEL": "debug"}
    settings = Settings.load(environment, {"port": 9100, "log_level": None})
    assert (settings.port, settings.log_level, settings.lease_name) == (9100, "debug", "headgate-operator")


READINGS: dict[str, tuple[str, str, Any]] = {
    "namespaces are separated by commas": ("NAMESPACES", "shop, billing,", ("shop", "billing")),
    "no namespaces are all of them": ("NAMESPACES", "", ()),
    "a lease can be switched off": ("LEASE", "false", False),
    "durations are seconds with their unit": ("SILENCE", "90s", timedelta(seconds=90)),
}


@pytest.mark.parametrize(("name", "text", "value"), READINGS.values(), ids=READINGS.keys())
def test_variables_are_read(name: str, text: str, value: object) -> None:
    assert getattr(Settings.load({f"HEADGATE_{name}": text}, {}), name.lower()) == value


def test_a_port_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="port"):
        Settings.load({"HEADGATE_PORT": "http"}, {})


OPTIONS: dict[str, tuple[list[str], tuple[str, ...], bool]] = {
    "nothing said: everywhere, with a Lease": ([], (), True),
    "some namespaces": (["-n", "a", "--namespace", "b"], ("a", "b"), True),
    "without a Lease": (["--all-namespaces", "--no-lease"], (), False),
}


@pytest.mark.parametrize(("options", "namespaces", "lease"), OPTIONS.values(), ids=OPTIONS.keys())
def test_options_of_run_become_settings(
    options: list[str], namespaces: tuple[str, ...], *, lease: bool
) -> None:
    parser = argparse.ArgumentParser()
    run.register(parser)
    settings = run.settings_of(parser.parse_args(options))
    assert (settings.namespaces, settings.lease) == (namespaces, lease)
