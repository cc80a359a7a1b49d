"""The story, chapter by chapter: what is done to the shop, and what is measured of it. Draws nothing."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from headgate.local.demo import promises
from headgate.local.demo.accounts import Account, DeadLetter, account, lines, published, recent
from headgate.local.demo.broker import Away, kept_for, moment, position
from headgate.local.demo.promises import Held, Row
from headgate.local.demo.shop import RESYNC, Group
from headgate.local.demo.stage import Stage
from headgate.local.demo.timeline import Who, peak
from headgate.local.errors import LocalError
from headgate.local.waiting import until

STEADY, SHIPMENTS = 5.0, 1.0  # events per second
BURST, BURST_FOR = 10 * STEADY, 25.0
FOR_A_WHILE = 12.0  # seconds in which there is nothing but to be watched
PATIENCE = 60.0
FEWER_AFTER = 90.0  # seconds in which fewer replicas are found to be enough, a look without answer included
AWAY = 4.0  # seconds without a broker
NOTICED = 5.5  # seconds from the first waiting event to its workload being scaled
AFTER_IDLE = 10.0  # seconds in which looks at the lag find out that a group was idle long enough
HELD_UP = 20.0  # seconds of events that come again: a look ago, and before an event that waits for its retry
PAID, CREATED, SHIPPED = "published-paid", "published-created", "published-shipments"
SOURCES = {"billing": (PAID,), "search": (PAID, CREATED), "notifications": (SHIPPED,)}


@dataclass(frozen=True, slots=True)
class Poison:
    """Orders that make trouble, and what has to become of each."""

    ledger: str
    subject: str
    headers: tuple[tuple[str, str], ...]
    count: int
    ends: tuple[tuple[str, str], ...]  # (group, reason) of its dead letters
    what: str
    by_mover: bool = False  # no worker gives it up


POISON = (
    Poison(
        PAID,
        "orders.p{n}.paid",
        (("shop-fail", "SchemaError"),),
        4,
        (("billing", "Rejected"), ("search", "MaxAttempts")),
        "4 orders that nobody can read",
    ),
    Poison(
        PAID, "orders.p{n}.paid", (("shop-fail", "DatabaseDown 1"),), 3, (), "3 that fail once and then work"
    ),
    Poison(
        CREATED,
        "orders.p{n}.created",
        (("shop-hang", "9"),),
        2,
        (("search", "MaxAttempts"),),
        "2 that hang in the worker",
        by_mover=True,
    ),
    Poison(PAID, "orders.p{n}.paid", (("shop-crash", "1"),), 1, (), "1 that kills its worker"),
)


@dataclass(slots=True)
class Play:
    """The stage, and the table that fills while the story goes on."""

    stage: Stage
    rows: list[Row] = field(default_factory=list)

    def saw(self, row: Row) -> None:
        """A promise was measured."""
        self.rows.append(row)
        self.stage.note(
            Who.SEEN, f"{row.what}: {row.seen}" + ("" if row.kept else f" (promised {row.promised})")
        )

    def do(self, text: str) -> None:
        """Say what is being done to the shop."""
        self.stage.note(Who.US, text)

    async def measured(
        self,
        what: str,
        check: Callable[[], Awaitable[bool]],
        *,
        limit: float = PATIENCE,
        since: float | None = None,
    ) -> float | None:
        """Seconds until something was so; None: it was not in time. A broker that is away is a no."""
        began = self.stage.now() if since is None else since

        async def there() -> bool:
            try:
                return await check()
            except Away:
                return False

        try:
            await until(what, there, limit=limit, every=0.05)
        except LocalError:
            return None
        return self.stage.now() - began


Chapter = Callable[[Play], Awaitable[None]]


async def declare(play: Play) -> None:
    """The estate is applied."""
    stage = play.stage
    play.do("kubectl apply -f examples/shop")
    began = stage.now()
    await stage.kubectl("apply", "-f", "-", stdin=stage.estate.yaml())
    wait = ("wait", "--for=condition=Ready", f"--timeout={PATIENCE:g}s", "--all")
    await asyncio.gather(
        stage.kubectl(*wait, "-n", "platform", "eventbrokers"),
        stage.kubectl(*wait, "-n", "shop", "eventtopics,consumergroups,deadletterqueues,retrypolicies"),
    )
    play.saw(promises.within("estate declared: everything Ready", 10.0, stage.now() - began))


async def steady(play: Play) -> None:
    """Orders come, and find no worker."""
    stage = play.stage
    play.do(f"{STEADY:g} orders and {SHIPMENTS:g} shipment a second from here on")
    stage.produce("orders", "orders.{customer}.paid", STEADY, ledger=PAID)
    stage.produce("shipments", "shipments.{customer}.delivered", SHIPMENTS, ledger=SHIPPED)

    async def wanted() -> bool:
        return await stage.replicas("billing-worker") > 0

    async def handled() -> bool:
        return bool(stage.ledger("billing"))

    began = stage.now()
    await play.measured("billing is scaled", wanted)
    since = stage.now() - await _waiting_for(stage)
    play.saw(promises.within("from zero: first order to workload scaled", NOTICED, stage.now() - since))
    await play.measured("an order is handled", handled, since=began)
    play.do(f"first invoice {stage.now() - since:.1f} s after its order, worker start included")
    await asyncio.sleep(FOR_A_WHILE)


async def _waiting_for(stage: Stage) -> float:
    """How long ago the first order arrived, by the broker's clock."""
    stream = await stage.broker.ask("STREAM.INFO.orders")
    return moment(stream["ts"]) - moment(stream["state"]["first_ts"])


async def burst(play: Play) -> None:
    """Ten times as many orders."""
    stage = play.stage
    extra = BURST - STEADY
    play.do(f"{BURST:g} orders a second for {BURST_FOR:g} s")
    producer = stage.produce(
        "burst", "orders.{customer}.paid", extra, ledger=PAID, count=int(extra * BURST_FOR)
    )
    await producer.wait(BURST_FOR + PATIENCE)
    play.do("the burst is over")

    async def worked_off() -> bool:
        sight = stage.timeline.last.group("billing")
        return sight is not None and sight.pending == 0

    await play.measured("the backlog is worked off", worked_off)
    billing = _group(stage, "billing")
    play.saw(promises.scaled("billing", peak(stage.timeline.samples, "billing", "replicas"), billing.most))


async def poison(play: Play) -> None:
    """Orders that cannot be handled."""
    for number, kind in enumerate(POISON):
        play.do(f"poison: {kind.what}")
        for n in range(kind.count):
            name, subject = f"poison-{number}-{n}", kind.subject.format(n=n)
            sequence = await play.stage.broker.publish(subject, name, dict(kind.headers))
            line = {"outcome": "published", "id": name, "sequence": sequence}
            path = play.stage.ledgers / f"{kind.ledger}.jsonl"
            with path.open("a") as ledger:
                ledger.write(json.dumps(line) + "\n")
    await asyncio.sleep(FOR_A_WHILE / 3)


async def retention(play: Play) -> None:
    """Somebody changes a stream by hand."""
    stage = play.stage
    declared = kept_for(await stage.broker.ask("STREAM.INFO.orders"))
    play.do("nats stream edit orders --max-age=1h, behind the operator's back")
    await stage.broker.keep_for("orders", 3600)
    took = await play.measured("the retention is as declared", partial(_keeps, stage, "orders", declared))
    play.saw(promises.within("changed retention: repaired", RESYNC + 1, took))


async def durable(play: Play) -> None:
    """Somebody deletes a durable by hand."""
    stage = play.stage
    before = await stage.broker.durable("orders", "billing")
    gone = time.time()
    play.do("nats consumer rm orders billing, behind the operator's back")
    await stage.broker.drop("orders", "billing")

    async def back() -> bool:
        return await stage.broker.durable("orders", "billing") is not None

    took = await play.measured("the durable is back", back)
    after = await stage.broker.durable("orders", "billing")
    play.saw(promises.within("deleted durable: there again", RESYNC + 1, took))
    if before is not None:
        most = recent(stage.ledger("billing"), gone - HELD_UP)
        play.saw(promises.returned(position(before), position(after) if after else None, most))


async def restart(play: Play) -> None:
    """The broker dies and comes back."""
    stage = play.stage
    declared = kept_for(await stage.broker.ask("STREAM.INFO.shipments"))
    play.do("nats stream edit shipments --max-age=1h, and kill -9 of the NATS server right after")
    await stage.broker.keep_for("shipments", 3600)
    await stage.nats.kill()
    await asyncio.sleep(AWAY)
    await stage.nats.restart()
    play.do("the NATS server is back, with the stream as it was changed")
    took = await play.measured("the retention is as declared", partial(_keeps, stage, "shipments", declared))
    play.saw(promises.within("broker back: full pass done, drift found", 2.0, took))
    known = len(stage.ledger("billing"))

    async def handled() -> bool:
        return len(stage.ledger("billing")) > known

    took = await play.measured("orders are handled again", handled)
    play.saw(promises.within("broker back: orders handled again", 15.0, took))


async def fewer(play: Play) -> None:
    """Orders come as slowly as before the burst, and the workers are still as many as during it."""
    stage = play.stage
    most = peak(stage.timeline.samples, "billing", "replicas")

    async def less() -> bool:
        return await stage.replicas("billing-worker") < most

    play.do(
        f"{STEADY:g} orders a second, {most:g} workers of billing: what is enough has to be so for a minute"
    )
    await play.measured("billing has fewer replicas", less, limit=FEWER_AFTER)
    play.saw(promises.shrunk("billing", most, await stage.replicas("billing-worker")))


async def quiet(play: Play) -> None:
    """No more orders."""
    stage = play.stage
    await asyncio.gather(*(producer.stop(PATIENCE) for producer in stage.producers))
    play.do("the producers have ended")

    async def idle() -> bool:
        sights = stage.timeline.last.groups
        return bool(sights) and all(one.pending == one.in_flight == 0 for one in sights)

    await play.measured("nothing is pending or in flight", idle)
    play.do("nothing is pending or in flight any more")
    took = await asyncio.gather(
        *(play.measured(f"{g.workload} is at zero", partial(_at_zero, stage, g)) for g in stage.estate.groups)
    )
    longest = None if None in took else max(one for one in took if one is not None)
    idle_after = max(group.idle_after for group in stage.estate.groups)
    play.saw(promises.within("quiet: all workers back at zero", idle_after + AFTER_IDLE, longest))


async def settle_accounts(play: Play) -> None:
    """What became of every event."""
    dead = await _dead(play.stage)
    for group in play.stage.estate.groups:
        found = _account(play.stage, group, dead)
        play.saw(promises.all_accounted(found))
        play.saw(promises.in_time(found, group.promise))
    play.saw(promises.buried(expected(POISON), dead))
    play.saw(promises.caught(sum(kind.count for kind in POISON if kind.by_mover), dead))


def expected(poison: tuple[Poison, ...]) -> dict[tuple[str, str], int]:
    """How many dead letters there have to be, by group and reason."""
    counts = Counter[tuple[str, str]]()
    for kind in poison:
        counts.update(dict.fromkeys(kind.ends, kind.count))
    return dict(counts)


async def delete(play: Play) -> None:
    """Everything is deleted; the policy of everything is Retain."""
    stage = play.stage
    before = await _held(stage)
    play.do("kubectl delete -f examples/shop")
    began = stage.now()
    await stage.kubectl(
        "delete", "-f", "-", f"--timeout={PATIENCE:g}s", stdin=stage.estate.yaml(backwards=True)
    )
    play.saw(promises.within("everything deleted", 30.0, stage.now() - began))
    play.saw(promises.retained(before, await _held(stage)))


STORY: tuple[tuple[str, Chapter], ...] = (
    ("An event estate is declared", declare),
    ("Steady orders: workers come from zero", steady),
    ("A burst, ten times as high", burst),
    ("Poison", poison),
    ("Somebody changes a stream by hand", retention),
    ("Somebody deletes a durable by hand", durable),
    ("The broker is killed and comes back", restart),
    ("Fewer are enough: workers leave", fewer),
    ("Quiet: workers go back to zero", quiet),
    ("Accounts", settle_accounts),
    ("Everything is deleted, nothing is lost", delete),
)


async def tell(play: Play) -> None:
    """All chapters; one that fails is a promise that was not seen, and the story goes on."""
    for headline, chapter in STORY:
        play.stage.note(Who.STORY, headline)
        try:
            await chapter(play)
        except (LocalError, Away, TimeoutError) as error:
            play.saw(Row(headline, "played to its end", str(error) or type(error).__name__, kept=False))


async def _keeps(stage: Stage, stream: str, declared: float) -> bool:
    return kept_for(await stage.broker.ask(f"STREAM.INFO.{stream}")) == declared


async def _at_zero(stage: Stage, group: Group) -> bool:
    return await stage.replicas(group.workload) == 0


async def _held(stage: Stage) -> dict[str, Held]:
    streams = await stage.broker.streams()
    names = (*stage.estate.names("EventTopic"), *stage.estate.names("DeadLetterQueue"))
    states = {name: streams[name]["state"] for name in names if name in streams}
    return {name: Held(int(s["messages"]), int(s["consumer_count"])) for name, s in states.items()}


async def _dead(stage: Stage) -> list[DeadLetter]:
    streams = await stage.broker.streams()
    found = list[DeadLetter]()
    for name in stage.estate.names("DeadLetterQueue"):
        found += await stage.broker.letters(name, streams[name]["state"])
    return found


def _account(stage: Stage, group: Group, dead: list[DeadLetter]) -> Account:
    sent = [sequence for source in SOURCES[group.name] for sequence in published(stage.ledger(source))]
    return account(group.name, sent, lines(stage.ledger(group.name)), dead)


def _group(stage: Stage, name: str) -> Group:
    return next(group for group in stage.estate.groups if group.name == name)
