"""`headgate dlq` on a queue in memory."""

import argparse
import io
import json
from datetime import UTC, datetime

from tests.unit.mover.fakes import FakeLetters

from headgate.cli.dlq import act, register, run
from headgate.core.letters import Entry, Letter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _args(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    register(parser)
    return parser.parse_args(words)


def _queue() -> FakeLetters:
    held = {}
    for position, (group, reason) in enumerate(
        (("shop/billing", "Rejected"), ("shop/mail", "MaxAttempts")), start=1
    ):
        headers = (("trace", "1"), ("headgate-group", group), ("headgate-reason", reason))
        held[position] = Entry(position, NOON, Letter(f"dead.{position}", headers, b'{"order": 7}'))
    return FakeLetters(held)


async def _said(letters: FakeLetters, *words: str, code: int = 0) -> str:
    out = io.StringIO()
    assert await act(letters, _args(*words), NOON, out) == code
    return out.getvalue()


async def test_list_prints_a_line_for_each_open_entry() -> None:
    lines = (await _said(_queue(), "list", "shop/dead")).splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["POSITION", "STATE", "GROUP", "REASON"],
        ["1", "Open", "shop/billing", "Rejected"],
        ["2", "Open", "shop/mail", "MaxAttempts"],
    ]


async def test_list_as_json_is_one_object_a_line_without_bodies() -> None:
    (line,) = (await _said(_queue(), "list", "shop/dead", "--group", "shop/mail", "-o", "json")).splitlines()
    assert json.loads(line) == {
        "position": 2,
        "stored": "2026-11-21T12:00:00.000Z",
        "address": "dead.2",
        "headgate": {"headgate-reason": "MaxAttempts", "headgate-group": "shop/mail"},
        "headers": [["trace", "1"]],
        "bytes": 12,
    }


async def test_list_stops_at_its_limit() -> None:
    assert len((await _said(_queue(), "list", "dead", "--limit", "1")).splitlines()) == 2


async def test_show_prints_headers_and_body() -> None:
    said = await _said(_queue(), "show", "dead", "1")
    assert "headgate-reason: Rejected\n" in said
    assert said.endswith('\n{"order": 7}\n')


async def test_show_of_nothing_fails() -> None:
    assert await _said(_queue(), "show", "dead", "9", code=1) == ""


async def test_resolve_leaves_who_when_and_why() -> None:
    letters = _queue()
    assert (
        await _said(letters, "resolve", "dead", "1", "--reason", "paid by hand", "--by", "ann")
        == "1: Resolved\n"
    )
    stone = letters.held[1001]
    told = (
        stone.header("headgate-resolved-by"),
        stone.header("headgate-resolution-reason"),
        stone.letter.body,
    )
    assert told == ("ann", "paid by hand", b"")


async def test_discard_by_selection_closes_only_what_is_meant() -> None:
    letters = _queue()
    assert (
        await _said(letters, "discard", "dead", "--given-up", "MaxAttempts", "--reason", "test")
        == "2: Discarded\n"
    )
    assert sorted(letters.held) == [1, 1002]


async def test_closing_says_for_each_position_why_it_was_not_done() -> None:
    letters = _queue()
    await _said(letters, "resolve", "dead", "1", "--reason", "x")
    said = await _said(letters, "resolve", "dead", "9", "1001", "2", "--reason", "x", code=1)
    assert said == "9: nothing is there\n1001: it is closed already\n2: Resolved\n"


async def test_somebody_else_may_be_faster() -> None:
    letters = _queue()
    letters.refuse = True
    assert (
        await _said(letters, "resolve", "dead", "1", "--reason", "x", code=1)
        == "1: somebody else was faster\n"
    )


def test_closing_everything_takes_saying_what() -> None:
    assert run(_args("discard", "dead", "--reason", "x")) == 2
