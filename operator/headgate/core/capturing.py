"""Whether the dead letters of one queue are kept, from what was seen of it and of the movers. Knows no broker and no clock."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from headgate.api.types import coarse_size
from headgate.core.conditions import Aspect, no, yes
from headgate.core.letters import stamp
from headgate.core.progress import Capture, Room

PATIENCE: Final = timedelta(minutes=1)  # how old a notice may be that no mover has dealt with
SMALLEST: Final = 256  # bytes that a dead letter takes without payload and foreign headers, at least
FULL: Final = "DeadLetterQueueFull"  # what movers call a queue that refused an entry for lack of room
MISSING: Final = "DeadLetterQueueMissing"

_MEANWHILE: Final = "nothing is lost meanwhile, and what waits is written by itself once there is room"
_FEWER: Final = "close entries (headgate dlq resolve, discard)"


@dataclass(frozen=True, slots=True)
class Place:
    """One dead-letter queue, and who may say that a loss is known."""

    queue: str  # its name in the broker
    broker: str  # the EventBroker, as namespace/name
    room: Room | None = None  # None: nobody looked, or it is not there
    acknowledged: frozenset[str] = frozenset()  # what annotations of the EventBroker and of the queue say
    no_notices: str = ""  # how dead letters come here where the broker raises none; empty where it does


def capturing(capture: Capture | None, place: Place) -> Aspect:
    """Whether what workers give up reaches this queue. What is amiss now comes before what was lost once."""
    if place.no_notices:
        bound = _bound(place.room)
        full = f"the queue takes no more: it has reached {bound}; {_MEANWHILE}"
        return (
            no("Capturing", "Full", full) if bound else yes("Capturing", "NoNoticeNeeded", place.no_notices)
        )
    if capture is None:
        return no(
            "Capturing",
            "CaptureMissing",
            "nothing keeps the broker's notices yet, so what a worker gives up is not captured",
        )
    lost = _lost(capture, place)
    trouble = next(_troubles(capture, place), None)
    if trouble is not None:
        reason, said = trouble
        return no("Capturing", reason, f"{said}. Besides, {lost}" if lost else said)
    if lost:
        return no("Capturing", "AdvisoriesLost", lost)
    return yes("Capturing", "Capturing", "what workers give up is kept")


def _troubles(capture: Capture, place: Place) -> Iterator[tuple[str, str]]:
    """What holds up dead letters of the queue, the most telling first."""
    here = _put_off(capture, {place.queue, ""})
    if bound := _bound(place.room):
        yield "Full", f"the queue takes no more: it has reached {bound}; {_MEANWHILE}"
    elif FULL in here:
        where = f"in the queue{_fill(place.room)} or in its own storage"
        rooms = f"{_FEWER}, raise retention.maxBytes, or give the broker more storage"
        yield "Full", f"the broker refused an entry for lack of room, {where}: {rooms}; {_MEANWHILE}"
    late = capture.oldest is not None and capture.at - capture.oldest > PATIENCE
    if late and not capture.movers:
        yield "MoverAbsent", "no mover reads the broker's notices; run one with `headgate mover`"
    if late and MISSING in here:
        yield (
            "DeadLetterQueueMissing",
            "what was given up waits for the queue, which is not in the broker; see the other conditions",
        )
    if late and here and capture.by_broker:
        why = ", ".join(sorted(here))
        held = f"for longer than a minute the broker has kept what it could not hand over ({why})"
        yield "HandoverStalled", f"{held}; the logs of its servers say more"
    elif late and not capture.by_broker and (why := _behind(capture, here)):
        yield "MoverBehind", f"notices wait for longer than a minute: {why}"


def _behind(capture: Capture, here: Collection[str]) -> str:
    """Why notices that may be of this queue wait; empty when those that do are known to be of others."""
    if here:
        return f"they are put off ({', '.join(sorted(here))}); the mover's log says more"
    if capture.unread is not None and capture.at - capture.unread > PATIENCE:
        return "movers have not got to them; they are too slow, or what waits for other queues takes all their places"
    return "" if capture.put_off else "movers were given them and say nothing about why; look at their log"


def _put_off(capture: Capture, queues: Collection[str]) -> frozenset[str]:
    """Why notices wait that are of these queues; nothing that waits no more."""
    if not capture.backlog:
        return frozenset()
    return frozenset(each.reason for each in capture.put_off if each.queue in queues)


def _bound(room: Room | None) -> str:
    """The bound at which not even the smallest entry fits any more; empty while one does."""
    if room is None:
        return ""
    if room.most_entries is not None and room.entries >= room.most_entries:
        return (
            f"the {room.most_entries} entries of retention.maxMessages, which closed ones count towards too until"
            " they age: raise it"
        )
    if room.most_size is not None and room.size + SMALLEST > room.most_size:
        return f"the {coarse_size(room.most_size)} of retention.maxBytes: {_FEWER}, or raise it"
    return ""


def _fill(room: Room | None) -> str:
    """How full it is; entries differ in size, so one may be refused before a bound is reached."""
    if room is None or room.most_size is None:
        return ""
    return f" ({coarse_size(room.size)} of {coarse_size(room.most_size)})"


def _lost(capture: Capture, place: Place) -> str:
    """The loss that nobody has acknowledged. A notice that nobody read does not say whose it was: it may be anybody's."""
    if capture.missed_at is None or (token := stamp(capture.missed_at)) in place.acknowledged:
        return ""
    return (
        f"notices of EventBroker {place.broker} were lost before a mover read them, at most {capture.missed} up to now,"
        f" the last seen missing at {token}: any group on it may have given up events before that time that have no dead"
        " letter. Compare what the groups handled; then annotate this DeadLetterQueue, or the EventBroker to speak for all"
        f' queues on it, with headgate.dev/acknowledge: "{token}"'
    )
