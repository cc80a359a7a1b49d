"""An error of Kafka as a value, and which outcome of the seam it is. Knows no client library."""

from collections.abc import Collection
from dataclasses import dataclass

from headgate.brokers.base import BrokerError, Refused, Unavailable, Unknown, Unreachable
from headgate.brokers.kafka.refusals import LOGIN, Sort, explained, told
from headgate.core.resource import Unread


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with one item of a request."""

    code: int
    text: str

    @property
    def sort(self) -> Sort:
        """What is to be done about it."""
        return explained(self.code, self.text).sort

    @property
    def absent(self) -> bool:
        """Whether it says that there is no such object."""
        return self.sort is Sort.ABSENT


def error(fault: Fault, subject: str, right: str = "", *, wrote: bool = False) -> BrokerError:
    """The outcome that a fault is; `right` is what the credentials have to be allowed."""
    reason = explained(fault.code, fault.text).reason
    text = told(fault.code, fault.text, subject, right)
    match fault.sort:
        case Sort.REFUSED:
            return Refused(reason, text)
        case Sort.AWAY:
            return Unreachable(reason, text)
        case Sort.UNCERTAIN:
            return Unknown(reason, text) if wrote else Unreachable(reason, text)
        case Sort.OBJECT:
            return Unavailable(reason, text)
        case Sort.ABSENT:
            return Unavailable("Changed", text)


def unread(fault: Fault, subject: str, right: str = "") -> Unread:
    """What is said of an object that could not be read while others could."""
    found = error(fault, subject, right)
    return Unread(found.reason, str(found))


def answered(items: Collection[object], subject: str, right: str = "") -> None:
    """Raise where not a single item was answered: then it is the cluster that is away, or does not let us in."""
    faults = [item for item in items if isinstance(item, Fault)]
    away = [fault for fault in faults if fault.sort in (Sort.AWAY, Sort.UNCERTAIN) or fault.code in LOGIN]
    if away and len(away) == len(items):
        raise error(away[0], subject, right)
