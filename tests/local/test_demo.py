"""The parts of the demo that only compute: what became of events, what was promised and seen, series, manifests, lines."""

import json
from math import isnan
from pathlib import Path

import pytest
from rich.console import Console

from headgate.local.demo import promises
from headgate.local.demo.accounts import (
    Account,
    DeadLetter,
    account,
    letter_of,
    lines,
    published,
    reasons,
    recent,
)
from headgate.local.demo.chapters import POISON, expected
from headgate.local.demo.picture import draw
from headgate.local.demo.promises import Held, Position, Row
from headgate.local.demo.report import document
from headgate.local.demo.shop import Estate, Place, placed, read, seconds
from headgate.local.demo.timeline import (
    GroupSight,
    Mark,
    QueueSight,
    Sample,
    Timeline,
    TopicSight,
    Who,
    arrivals,
    away,
    of_group,
    peak,
)
from headgate.local.demo.view import plain, screen, verdict
from headgate.local.demo.watcher import said


def line(outcome: str, sequence: int, attempt: int = 1, age: float = 1.0) -> str:
    return json.dumps({"outcome": outcome, "sequence": sequence, "attempt": attempt, "age": age}) + "\n"


def dead(
    position: int, group: str = "billing", reason: str = "Rejected", *, by_worker: bool = True
) -> DeadLetter:
    return DeadLetter(group, reason, position, by_worker)


@pytest.mark.parametrize(
    ("ledger", "letters", "missing", "repeats"),
    [
        pytest.param(line("handled", 1) + line("handled", 2), [], (), 0, id="all handled"),
        pytest.param(line("handled", 1), [dead(2)], (), 0, id="one handled, one dead"),
        pytest.param(line("handled", 1), [], (2,), 0, id="one that nobody knows of"),
        pytest.param(line("handled", 1), [dead(2, group="search")], (2,), 0, id="a dead letter of another group is none of ours"),
        pytest.param(line("handled", 1) + line("dead", 2), [], (2,), 0, id="a worker's word without a dead letter is not enough"),
        pytest.param(line("handled", 1) * 3 + line("handled", 2), [], (), 2, id="repeats are counted and nothing is missing"),
        pytest.param(line("handled", 1) + '{"outcome": "hand', [dead(2)], (), 0, id="a line cut off by a crash"),
    ],
)  # fmt: skip
def test_what_became_of_two_orders(
    ledger: str, letters: list[DeadLetter], missing: tuple[int, ...], repeats: int
) -> None:
    found = account("billing", [1, 2], lines(ledger), letters)
    assert (found.missing, found.repeats) == (missing, repeats)
    assert promises.all_accounted(found).kept == (not missing)


def test_a_group_without_orders_proves_nothing() -> None:
    assert not promises.all_accounted(account("billing", [], [], [])).kept
    assert not promises.in_time(account("billing", [], [], []), 30).kept


@pytest.mark.parametrize(
    ("ledger", "slowest"),
    [
        pytest.param(line("handled", 1, age=3) + line("handled", 2, age=9), 9.0, id="the slowest counts"),
        pytest.param(line("failed", 1, age=3) + line("handled", 1, 2, age=50), 3.0, id="retries do not count"),
        pytest.param(line("handled", 1, age=3) + line("handled", 1, age=50), 3.0, id="a repeat by a durable that was made anew does not count"),
        pytest.param(line("handled", 1, 2, age=50), 0.0, id="a first attempt that nobody could write down is left out"),
    ],
)  # fmt: skip
def test_how_late_first_attempts_were(ledger: str, slowest: float) -> None:
    assert account("billing", [1], lines(ledger), []).slowest == slowest


def test_outcomes_are_counted_from_a_moment_on() -> None:
    ledger = '{"at": 4.5}\n{"at": 5.0}\n{"at": 7.25}\n{"at'
    assert [recent(ledger, since) for since in (0.0, 5.0, 8.0)] == [3, 2, 0]


def test_published_sequences_are_read_from_the_producers_ledger() -> None:
    assert published('{"sequence": 4, "id": "a-1"}\n{"sequence": 5, "id": "a-2"}\n{"seq') == [4, 5]


def test_a_dead_letter_is_told_by_its_headers() -> None:
    headers = {"headgate-group": "shop/billing", "headgate-reason": "Rejected", "headgate-position": "7"}
    assert letter_of(headers) == dead(7, by_worker=False)
    assert letter_of(headers | {"headgate-error-class": "SchemaError"}) == dead(7)
    assert reasons([dead(1), dead(2), dead(3, "search")]) == {
        ("billing", "Rejected"): 2,
        ("search", "Rejected"): 1,
    }


ACCOUNT = Account("billing", published=2, handled=2, dead=0, missing=(), repeats=0, slowest=30.0)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        pytest.param(promises.within("x", 2, 1.9), True, id="in time"),
        pytest.param(promises.within("x", 2, 2.1), False, id="too late"),
        pytest.param(promises.within("x", 2, None), False, id="never seen"),
        pytest.param(promises.in_time(ACCOUNT, 30), True, id="as late as promised"),
        pytest.param(promises.in_time(ACCOUNT, 29), False, id="later than promised"),
        pytest.param(promises.scaled("x", 8, 10), True, id="scaled inside the bounds"),
        pytest.param(promises.scaled("x", 1, 10), False, id="not scaled at all"),
        pytest.param(promises.scaled("x", 11, 10), False, id="scaled beyond the bounds"),
        pytest.param(promises.shrunk("x", 8, 3), True, id="fewer replicas, but some"),
        pytest.param(promises.shrunk("x", 8, 8), False, id="as many as under the burst"),
        pytest.param(promises.shrunk("x", 8, 0), False, id="none left while orders come"),
        pytest.param(promises.buried({("billing", "Rejected"): 1}, [dead(1)]), True, id="exactly the poison is dead"),
        pytest.param(promises.buried({("billing", "Rejected"): 1}, [dead(1), dead(2)]), False, id="something else is dead too"),
        pytest.param(promises.buried({("billing", "Rejected"): 1}, [dead(1, reason="MaxAttempts")]), False, id="dead for another reason"),
        pytest.param(promises.buried({("billing", "Rejected"): 1}, []), False, id="poison that vanished"),
        pytest.param(promises.caught(1, [dead(1), dead(2, by_worker=False)]), True, id="found by the mover"),
        pytest.param(promises.caught(1, [dead(1)]), False, id="not found by the mover"),
        pytest.param(promises.returned(Position(10, 1), Position(0, 11), 5), True, id="a durable exactly where it was"),
        pytest.param(promises.returned(Position(10, 1), Position(0, 6), 5), True, id="a durable a little earlier"),
        pytest.param(promises.returned(Position(10, 1), Position(0, 5), 5), False, id="a durable too much earlier"),
        pytest.param(promises.returned(Position(10, 1), Position(0, 12), 5), False, id="a durable that skips one"),
        pytest.param(promises.returned(Position(10, 1), None, 5), False, id="a durable that is gone"),
        pytest.param(promises.retained({"a": Held(5, 1)}, {"a": Held(5, 1)}), True, id="everything is still there"),
        pytest.param(promises.retained({"a": Held(5, 1)}, {"a": Held(4, 1)}), False, id="a message is gone"),
        pytest.param(promises.retained({"a": Held(5, 1)}, {"a": Held(5, 0)}), False, id="a durable is gone"),
        pytest.param(promises.retained({"a": Held(0, 0)}, {}), False, id="an empty stream is gone"),
        pytest.param(promises.retained({}, {}), False, id="there was nothing to keep"),
    ],
)  # fmt: skip
def test_a_promise_is_kept_or_not(row: Row, *, kept: bool) -> None:
    assert row.kept is kept
    assert promises.broken([row]) == ([] if kept else [row])
    assert promises.exit_code([row]) == (0 if kept else 1)


def test_a_demo_that_promised_nothing_fails() -> None:
    assert promises.exit_code([]) == 1


def test_what_the_poison_has_to_end_as() -> None:
    assert expected(POISON) == {("billing", "Rejected"): 4, ("search", "MaxAttempts"): 6}


def sight(pending: int = 0, age: float = 0.0, replicas: int = 1) -> GroupSight:
    return GroupSight("billing", pending, 0, age, replicas, replicas)


SAMPLES = [
    Sample(0.0, (TopicSight("orders", 0, 0, 3600),), (sight(),)),
    Sample(1.0, (TopicSight("orders", 10, 10, 3600),), (sight(10, 1.5, 4),)),
    Sample(2.0, away=True),
    Sample(3.0, away=True),
    Sample(4.0, (TopicSight("orders", 20, 20, 3600),), ()),
    Sample(5.0, (TopicSight("orders", 40, 40, 3600),), (sight(2, 0.5, 2),)),
]


def test_a_series_has_a_gap_wherever_nothing_could_be_seen() -> None:
    times, values = of_group(SAMPLES, "billing", "pending")
    assert times == [0, 1, 2, 3, 4, 5]
    assert [None if isnan(value) else value for value in values] == [0, 10, None, None, None, 2]
    assert peak(SAMPLES, "billing", "replicas") == 4
    assert peak(SAMPLES, "nobody", "replicas") == 0


def test_arrivals_are_means_over_the_seconds_before() -> None:
    assert arrivals(SAMPLES, "orders", over=1.0) == ([1.0, 4.0, 5.0], [10.0, 10 / 3, 20.0])


def test_an_outage_lasts_until_the_first_answer() -> None:
    assert away(SAMPLES) == [(2.0, 4.0)]
    assert away(SAMPLES[:3]) == []


TIMELINE = Timeline(
    list(SAMPLES), [Mark(0.5, Who.STORY, "It begins"), Mark(1.0, Who.OPERATOR, "Create stream/orders")]
)


def test_the_headline_is_the_last_chapter() -> None:
    assert TIMELINE.headline() == "It begins"
    assert Timeline().headline() == ""
    assert Timeline().last == Sample(0.0)


def test_the_document_says_whether_all_was_kept() -> None:
    rows = [promises.within("x", 2, 1.0)]
    assert json.loads(document(TIMELINE, rows))["kept"] is True
    found = json.loads(document(TIMELINE, [*rows, promises.within("y", 2, None)]))
    assert found["kept"] is False
    assert [row["what"] for row in found["promises"]] == ["x", "y"]
    assert len(found["samples"]) == len(SAMPLES)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw(TIMELINE, {"billing": 30.0}, ["orders"], tmp_path / "new" / "demo.png")
    assert (tmp_path / "new" / "demo.png").read_bytes().startswith(b"\x89PNG")


def shown(what: object) -> str:
    console = Console(width=130, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_screen_shows_groups_topics_letters_and_deeds() -> None:
    queue = QueueSight("checkout-dead", (("billing", "Rejected", 4),))
    sample = Sample(5.0, SAMPLES[-1].topics, (sight(7, 12.0, 3),), (queue,))
    text = shown(screen(Timeline([sample], TIMELINE.marks), {"billing": 30.0}, 5.0))
    for part in (
        "It begins",
        "billing",
        "12 of 30 s",
        "3/3",
        "orders",
        "checkout-dead",
        "Rejected",
        "Create stream/orders",
    ):
        assert part in text
    assert "the broker is away" in shown(screen(Timeline([Sample(1.0, away=True)]), {}, 1.0))


def test_the_verdict_names_what_was_not_seen() -> None:
    text = shown(verdict([promises.within("early", 2, 1.0), promises.within("late", 2, 3.0)]))
    assert "NOT SEEN" in next(row for row in text.splitlines() if "late" in row)
    assert "NOT SEEN" not in next(row for row in text.splitlines() if "early" in row)


def test_without_a_terminal_each_event_is_a_line() -> None:
    assert (
        plain(Mark(12.34, Who.OPERATOR, "Create stream/orders")) == "  12.3 s  headgate  Create stream/orders"
    )


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        pytest.param(
            {"logger": "headgate.engine.portion", "level": "info", "message": "Create stream/orders for 7f-3c/EventTopic/shop/orders"},
            "Create stream/orders for EventTopic/shop/orders",
            id="what it did, without the name of the cluster",
        ),
        pytest.param({"logger": "headgate.handlers.process", "level": "info", "message": "probes"}, "", id="nothing about its own start"),
        pytest.param({"logger": "headgate.engine.letters", "level": "debug", "message": "x"}, "", id="nothing for debugging"),
    ],
)  # fmt: skip
def test_of_the_operators_log_is_shown(entry: dict[str, str], text: str) -> None:
    assert said(json.dumps(entry)) == text
    assert said("Traceback (most recent call last):") == ""


PLACE = Place("nats://127.0.0.1:4222", Path("/programs"), Path("/ledgers"), Path("/bin/python"))


@pytest.fixture(name="estate")
def the_estate() -> Estate:
    return placed(read(), PLACE)


def test_the_shop_is_placed_on_this_machine_and_nothing_else_changes(estate: Estate) -> None:
    assert estate.kind("EventBroker")[0]["spec"]["nats"]["servers"] == ["nats://127.0.0.1:4222"]
    same = {"EventTopic", "ConsumerGroup", "RetryPolicy", "DeadLetterQueue", "Namespace"}
    assert [m for m in estate.manifests if m["kind"] in same] == [m for m in read() if m["kind"] in same]


def test_workers_begin_at_zero_and_write_ledgers(estate: Estate) -> None:
    for deployment in estate.kind("Deployment"):
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert deployment["spec"]["replicas"] == 0
        assert container["command"] == ["/bin/python", "/app/worker.py"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
            "/etc/binding",
            "/app",
            "/var/ledgers",
        }


def test_every_group_has_a_worker_that_mounts_its_binding(estate: Estate) -> None:
    bindings = {
        deployment["metadata"]["name"]: deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"][
            "name"
        ]
        for deployment in estate.kind("Deployment")
    }
    wanted = {
        group["spec"]["scaling"]["targetRef"]["name"]: group["spec"]["binding"]["configMapName"]
        for group in estate.kind("ConsumerGroup")
    }
    assert bindings == wanted


def test_things_are_deleted_in_reverse_and_namespaces_stay(estate: Estate) -> None:
    text = estate.yaml(backwards=True)
    assert "kind: Namespace" not in text
    assert (
        text.index("kind: Deployment") < text.index("kind: ConsumerGroup") < text.index("kind: EventBroker")
    )


def test_durations_are_read() -> None:
    assert [seconds(text) for text in ("30s", "1m30s", "250ms", "168h")] == [30, 90, 0.25, 604800]
