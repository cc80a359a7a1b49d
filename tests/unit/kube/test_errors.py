"""What an HTTP status of the API server means to the engine."""

import pytest

from headgate.kube.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    Unavailable,
    Unknown,
    error_of,
)

MEANINGS: dict[str, tuple[int, type[KubeError]]] = {
    "who we are is not believed": (401, Forbidden),
    "we may not": (403, Forbidden),
    "it is not there": (404, NotFound),
    "somebody wrote in between": (409, Conflict),
    "a list token is too old, and a new list works": (410, Unavailable),
    "the request makes no sense": (400, Invalid),
    "the object breaks a rule": (422, Invalid),
    "too many of us": (429, Unavailable),
    "the server failed": (500, Unavailable),
    "there is no server behind the address": (503, Unavailable),
    "something in between gave up waiting": (504, Unknown),
}


@pytest.mark.parametrize(("code", "meaning"), MEANINGS.values(), ids=MEANINGS.keys())
def test_a_status_has_one_meaning(code: int, meaning: type[KubeError]) -> None:
    assert type(error_of(code, "said")) is meaning


WISHES = {
    "a number of seconds is honoured": ("7", 7.0),
    "a date is not understood and ignored": ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    "no wish is no wish": (None, None),
}


@pytest.mark.parametrize(("header", "seconds"), WISHES.values(), ids=WISHES.keys())
def test_the_server_may_say_when_to_come_back(header: str | None, seconds: float | None) -> None:
    assert error_of(429, "busy", header).retry_after == seconds
