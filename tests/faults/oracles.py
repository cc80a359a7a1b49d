"""What must hold after every fault, as functions of what was seen; each returns its complaints. They know no proxy."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.faults.journal import BROKER, KUBE, Call, Journal
from tests.faults.life import DELETED, Life, settled

Json = dict[str, Any]
GOES = frozenset(
    {"STREAM.DELETE.*-orders", "CONSUMER.DELETE.*-orders.*-billing"}
)  # the rest is Retain, or nobody's
PASSING = frozenset({"CONSUMER.DELETE.*-dead.(drawn)"})  # the operator's own reader, made for one look

OUSTED = "ending: the Lease "


def same_end(found: Json, wanted: Json) -> list[str]:
    """O1: everything stands as it would without the fault."""
    return [f"O1 {where}" for where in differences(wanted, found)]


def differences(wanted: Any, found: Any, where: str = "") -> list[str]:
    """Where two pictures differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = sorted(wanted.keys() | found.keys())
        return [
            each for key in keys for each in differences(wanted.get(key), found.get(key), f"{where}/{key}")
        ]
    return [] if wanted == found else [f"{where}: {_short(wanted)} expected, {_short(found)} found"]


def silent(calls: Iterable[Call], picture: Mapping[str, Json]) -> list[str]:
    """O3: nothing is written any more; a figure that is sampled now and then may still become known, once."""
    found, told = list[str](), set[bytes]()
    for call in calls:
        if call.wire == BROKER or call.body in told or not _is_figure(call, picture):
            found.append(
                f"O3 wrote when all was well: {call.point} {call.body[:600].decode(errors='replace')}"
            )
        told.add(call.body)
    return found


def _is_figure(call: Call, picture: Mapping[str, Json]) -> bool:
    """A status that says nothing new but figures."""
    words = call.point.name.split(" ")[1].split("/")
    if words[-1] != "status":
        return False
    said = next((step["value"] for step in json.loads(call.body) if step["path"] == "/status"), None)
    shown = picture.get(f"{words[0]} {words[1]}", {}).get("status")
    return bool(_skeleton(settled(said)) == _skeleton(shown))


def _skeleton(value: Any) -> Any:
    """Conditions as type, status and reason; no times, no uids, no names."""
    conditions = (value or {}).get("conditions") or []
    return [(c["type"], c["status"], c["reason"], c["observedGeneration"]) for c in conditions]


def safe(journal: Journal, life: Life) -> list[str]:
    """O4: nothing deleted that is to stay, nothing deleted and made again, no word to another object, one writer at a time."""
    return [
        *_deleted_only_what_goes(journal),
        *_never_made_again(journal),
        *_meant_for_its_object(journal, life),
        *_one_writer(journal),
    ]


def _deleted_only_what_goes(journal: Journal) -> list[str]:
    found = []
    for call in journal.calls:
        name = call.point.name
        if call.wire == KUBE and name.startswith("DELETE"):
            found.append(f"O4 {call.point}")
        if call.wire != BROKER or ".DELETE." not in name or name in PASSING:
            continue
        if name not in GOES or call.point.step != DELETED:
            found.append(f"O4 deleted what is to stay: {call.point}")
    return found


def _never_made_again(journal: Journal) -> list[str]:
    gone, found = set[str](), []
    for call in journal.of(BROKER, writes=True):
        what, _, verb = _object(call.point.name)
        if verb == "DELETE":
            gone.add(what)
        elif verb == "CREATE" and what in gone:
            found.append(f"O4 deleted and made again: {call.point}")
    return found


def _object(name: str) -> tuple[str, str, str]:
    """A call of the broker's API as object, kind and verb."""
    kind, _, rest = name.partition(".")
    verb, _, what = rest.partition(".")
    return f"{kind} {what}", kind, verb


def _meant_for_its_object(journal: Journal, life: Life) -> list[str]:
    """Every status and every list of finalizers names the uid of the object that is there."""
    found = []
    for call in journal.of(KUBE, writes=True):
        what = next((what for what in life.uids if f"/{life.called(what[1])}" in call.subject), None)
        if what is None or "/configmaps" in call.subject:
            continue
        if life.uids[what].encode() not in call.body:
            found.append(f"O4 does not say which object is meant: {call.point}")
    return found


def _one_writer(journal: Journal) -> list[str]:
    busy: dict[str, Call] = {}
    found = []
    for call in journal.of(KUBE, writes=True):
        where = call.subject.removesuffix("/status")
        before = busy.get(where)
        if before is not None and (before.ended is None or before.ended > call.began):
            found.append(f"O4 two writers at once: {before.point} and {call.point}")
        busy[where] = call
    return found


def calm(log: str) -> list[str]:
    """O5: no errors, but for that of an operator that finds its Lease taken."""
    bad = [line for line in log.splitlines() if '"level": "error"' in line or "Traceback" in line]
    bad = [line for line in bad if OUSTED not in line]
    return [f"O5 {line[:300]} ... {line[-900:]}" for line in bad]


def discreet(canary: str, texts: Mapping[str, str], journal: Journal) -> list[str]:
    """O6: the secret is nowhere but in the login itself."""
    found = [f"O6 the secret is in {where}" for where, text in texts.items() if canary in text]
    secret = canary.encode()
    return found + [
        f"O6 the secret is in {c.point}" for c in journal.calls if secret in c.body or canary in c.subject
    ]


def _short(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)[:300]
