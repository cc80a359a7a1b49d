"""What a log line says, and what it never says."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from headgate.telemetry.logs import Form, Scrubber, configure

SEED = "SU" + "A" * 56


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Logging is one for the whole process: give it back as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before


LEAKS = {
    "a password in an address": ("dial nats://user:hunter2hunter@h:4222 failed", "hunter2hunter"),
    "a token in a header": ("sent Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
    "a signed token": ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln was refused", "eyJhbGciOiJIUzI1NiJ9"),
    "the seed of a key": (f"seed {SEED} is wrong", SEED),
    "a private key": ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "MHcCAQEE"),
    "a private key that is cut off": ("-----BEGIN PRIVATE KEY-----\nMHcCAQEE", "MHcCAQEE"),
    "a field called password": ('{"password": "s3cr3t-word", "user": "u"}', "s3cr3t-word"),
}


@pytest.mark.parametrize(("text", "secret"), LEAKS.values(), ids=LEAKS.keys())
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret not in Scrubber().clean(text)


HARMLESS = {
    "a reference to a Secret": "spec.nats.credentialsSecretRef: there is no Secret nats-headgate in platform",
    "an address without credentials": "cannot reach nats://nats.platform:4222",
    "an ordinary sentence": "stream orders: max_age 72h, declared 168h",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_no_secret_stays(text: str) -> None:
    assert Scrubber().clean(text) == text


def lines(form: Form, level: str = "info") -> tuple[io.StringIO, Scrubber]:
    stream = io.StringIO()
    return stream, configure(level=level, form=form, stream=stream)


@pytest.mark.parametrize("form", [Form.JSON, Form.HUMAN])
def test_a_secret_that_was_learned_is_in_no_part_of_a_line(form: Form) -> None:
    stream, scrubber = lines(form)
    scrubber.learn([b"canary-4711", "line one of it\nline two of it\n"])
    try:
        raise ValueError("canary-4711 in an exception")  # noqa: TRY301  (a traceback is what is wanted)
    except ValueError:
        logging.getLogger("x").exception("got %s", "canary-4711", extra={"detail": "line two of it"})
    assert "canary" not in stream.getvalue()
    assert "line two" not in stream.getvalue()
    assert stream.getvalue().count("[hidden]") >= 3


def test_a_short_secret_does_not_blot_out_words() -> None:
    scrubber = Scrubber()
    scrubber.learn([b"a", "on"])
    assert scrubber.clean("a stream of one topic") == "a stream of one topic"


def test_one_line_is_one_json_object_with_the_fields_given() -> None:
    stream, _ = lines(Form.JSON)
    logging.getLogger("headgate.x").info("done\nwith it", extra={"kind": "EventTopic", "count": 3})
    line = json.loads(stream.getvalue())
    del line["time"]
    expected = {
        "level": "info",
        "logger": "headgate.x",
        "message": "done\nwith it",
        "kind": "EventTopic",
        "count": 3,
    }
    assert line == expected


def test_a_person_reads_a_short_line() -> None:
    stream, _ = lines(Form.HUMAN)
    logging.getLogger("headgate.x").warning("late", extra={"reason": "Unreachable"})
    assert stream.getvalue().split(" ", 1)[1] == "WARNING late  reason=Unreachable\n"


def test_what_is_no_terminal_gets_json() -> None:
    stream, _ = lines(Form.AUTO)
    logging.getLogger("x").info("said")
    assert json.loads(stream.getvalue())["message"] == "said"


def test_libraries_speak_only_of_trouble() -> None:
    stream, _ = lines(Form.JSON, level="debug")
    logging.getLogger("kopf.objects").info("Handler 'x' succeeded.")
    assert stream.getvalue() == ""
