"""A watch tells what is not known already, all of it and nothing else."""

import json
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.kube.known import Known


def event(kind: str, version: str, **more: object) -> bytes:
    meta = {"name": "orders", **more, "resourceVersion": version}
    return json.dumps({"type": kind, "object": {"metadata": meta}}, separators=(",", ":")).encode() + b"\n"


def knowing(*versions: str) -> Known:
    known = Known()
    for version in versions:
        known.add({"metadata": {"resourceVersion": version}})
    return known


async def sieved(known: Known, chunks: Iterable[bytes]) -> bytes:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return b"".join([part async for part in known.sieve(body())])


CASES = {
    "the echo of a write is dropped": (event("MODIFIED", "7"), b""),
    "what was listed before is dropped": (event("ADDED", "7"), b""),
    "another version is told": (event("MODIFIED", "70"), event("MODIFIED", "70")),
    "a deletion is told whatever its version": (event("DELETED", "7"), event("DELETED", "7")),
    "a bookmark is told": (event("BOOKMARK", "7"), event("BOOKMARK", "7")),
    "a label that is called like the version hides nothing": (
        event("MODIFIED", "8", labels={"resourceVersion": "7"}),
        event("MODIFIED", "8", labels={"resourceVersion": "7"}),
    ),
    "an annotation that quotes a version hides nothing": (
        event("MODIFIED", "8", annotations={"a": '"resourceVersion":"7"'}),
        event("MODIFIED", "8", annotations={"a": '"resourceVersion":"7"'}),
    ),
    "each version is dropped once": (event("MODIFIED", "7") * 2, event("MODIFIED", "7")),
}


@pytest.mark.parametrize(("told", "heard"), CASES.values(), ids=CASES)
async def test_of_a_watch(told: bytes, heard: bytes) -> None:
    assert await sieved(knowing("7"), [told]) == heard


@given(st.lists(st.integers(1, 40), max_size=20, unique=True), st.lists(st.integers(1, 400), max_size=8))
async def test_however_a_body_is_cut_the_same_lines_come_through(
    versions: list[int], cuts: list[int]
) -> None:
    lines = [event("MODIFIED", str(version)) for version in versions]
    body = b"".join(lines)
    places = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    chunks = [body[start:end] for start, end in pairwise(places)]
    expected = b"".join(line for line, version in zip(lines, versions, strict=True) if version % 2)
    known = knowing(*(str(version) for version in range(0, 41, 2)))
    assert await sieved(known, chunks) == expected


async def test_of_a_body_that_is_cut_within_an_event_only_the_whole_ones_are_told() -> None:
    assert await sieved(knowing("7"), [event("MODIFIED", "8"), b'{"type"']) == event("MODIFIED", "8")


def test_a_list_comes_without_the_items_that_are_known() -> None:
    items = [{"metadata": {"resourceVersion": version}} for version in ("6", "7")]
    assert knowing("7").listed({"items": items}) == {"items": items[:1]}


def test_what_is_no_list_stays_as_it_is() -> None:
    assert knowing("7").listed({"kind": "Status"}) == {"kind": "Status"}


def test_the_oldest_versions_are_forgotten_when_there_are_too_many() -> None:
    known = Known(limit=2)
    for version in ("1", "2", "3"):
        known.add({"metadata": {"resourceVersion": version}})
    body = event("MODIFIED", "1") + event("MODIFIED", "2") + event("MODIFIED", "3")
    assert known.news(body) == event("MODIFIED", "1")
