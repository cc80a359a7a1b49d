"""What was promised and what was seen, as rows of one table. Pure: every row is made of measurements."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from headgate.local.demo.accounts import Account, DeadLetter, reasons


@dataclass(frozen=True, slots=True)
class Row:
    """One promise."""

    what: str
    promised: str
    seen: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a durable stands: the event before which everything is settled, and where it was begun."""

    settled: int
    begins: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a stream holds."""

    messages: int
    durables: int


def within(what: str, limit: float, seconds: float | None) -> Row:
    """Something that was to happen within so many seconds; None: it did not happen while anybody waited."""
    kept = seconds is not None and seconds <= limit
    return Row(what, f"within {limit:g} s", "not seen" if seconds is None else f"{seconds:.1f} s", kept)


def all_accounted(account: Account) -> Row:
    """Every event was handled or is a dead letter."""
    seen = f"{account.published} published, {account.handled} handled, {account.dead} dead, {len(account.missing)} missing"
    if account.missing:
        seen += f": {', '.join(map(str, account.missing[:5]))}"
    kept = account.published > 0 and not account.missing
    return Row(f"{account.group}: every order handled or a dead letter", "none missing", seen, kept)


def in_time(account: Account, promise: float) -> Row:
    """The slowest event's first attempt; what is seen includes the time that the attempt itself took."""
    return Row(
        f"{account.group}: oldest event when its first attempt was over",
        f"at most {promise:g} s",
        f"{account.slowest:.1f} s",
        account.handled > 0 and account.slowest <= promise,
    )


def scaled(group: str, most: float, allowed: int) -> Row:
    """The workload grew under the burst and stayed inside its bounds."""
    return Row(f"{group}: more replicas under the burst", f"2 to {allowed}", f"{most:g}", 1 < most <= allowed)


def buried(wanted: Mapping[tuple[str, str], int], dead: Iterable[DeadLetter]) -> Row:
    """Exactly the poison is in the dead-letter queue, with its reasons."""
    found = reasons(dead)
    return Row(
        "poison: in the dead-letter queue with its reason",
        _counts(wanted),
        _counts(found),
        dict(found) == dict(wanted),
    )


def caught(wanted: int, dead: Iterable[DeadLetter]) -> Row:
    """What workers let drop, the mover found."""
    found = sum(not letter.by_worker for letter in dead)
    return Row(
        "poison that workers never settled: found by the mover", str(wanted), str(found), found == wanted
    )


def returned(before: Position, after: Position | None, repeats_at_most: int) -> Row:
    """A deleted durable came back where it had been: nothing is skipped, and not everything is repeated."""
    what = "deleted durable: back where it was, repeats but no gaps"
    promised = f"no gap, at most {repeats_at_most} repeats"
    if after is None:
        return Row(what, promised, "not back", kept=False)
    gap, again = max(0, after.begins - before.settled - 1), max(0, before.settled + 1 - after.begins)
    seen = f"begins at {after.begins}, settled before: {before.settled}; gap {gap}, repeats {again}"
    return Row(what, promised, seen, gap == 0 and again <= repeats_at_most)


def shrunk(group: str, most: float, now: int) -> Row:
    """The workload got smaller again while orders still came."""
    what = f"{group}: fewer replicas once fewer have been enough"
    return Row(what, f"1 to {most - 1:g}", str(now), 1 <= now < most)


def retained(before: Mapping[str, Held], after: Mapping[str, Held]) -> Row:
    """Every stream, message and durable that was there before everything was deleted is there afterwards."""
    nothing = Held(0, 0)
    lost = sum(max(0, held.messages - after.get(name, nothing).messages) for name, held in before.items())
    cut = sum(max(0, held.durables - after.get(name, nothing).durables) for name, held in before.items())
    gone = sorted(before.keys() - after.keys())
    seen = f"{_held(after)}; {lost} messages lost" + (f"; gone: {', '.join(gone)}" if gone else "")
    kept = bool(before) and not (lost or cut or gone)
    return Row("deletion with Retain: nothing lost", _held(before), seen, kept)


def exit_code(rows: Collection[Row]) -> int:
    """What the demo ends with: 0 only when something was promised and all of it seen."""
    return 0 if rows and not broken(rows) else 1


def broken(rows: Iterable[Row]) -> list[Row]:
    """What was promised and not seen."""
    return [row for row in rows if not row.kept]


def _held(all_of_it: Mapping[str, Held]) -> str:
    messages, durables = (
        sum(one.messages for one in all_of_it.values()),
        sum(one.durables for one in all_of_it.values()),
    )
    return f"{len(all_of_it)} streams with {messages} messages, {durables} durables"


def _counts(counts: Mapping[tuple[str, str], int]) -> str:
    """Figures by group and reason, in words."""
    return (
        ", ".join(f"{group} {count} {reason}" for (group, reason), count in sorted(Counter(counts).items()))
        or "none"
    )
