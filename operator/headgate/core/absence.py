"""What is said about references that cannot be followed, without telling anybody what exists elsewhere. Knows no broker."""

from collections.abc import Mapping
from typing import Final

from headgate.core.estate import Ref
from headgate.core.outcomes import Finding
from headgate.core.rules_of_reference import NOT_FOUND, NOT_OPEN, NOT_READY

_WORDS: Final[Mapping[str, str]] = {
    "EventBroker": "Broker",
    "EventTopic": "Topic",
    "RetryPolicy": "RetryPolicy",
    "DeadLetterQueue": "DeadLetterQueue",
}


def absent(user: Ref, to: Ref, field: str) -> Finding:
    """A reference to nothing. Across namespaces it reads exactly like one that is not permitted, whatever is there."""
    what = f"{to.kind} {to.namespace}/{to.name}"
    if user.namespace == to.namespace:
        message = f"{what} does not exist: create it, or correct {field}"
        return NOT_FOUND.finding(field, message, f"{_WORDS[to.kind]}NotFound")
    return NOT_OPEN.finding(
        field,
        f"{what} does not exist, or does not let namespace {user.namespace} use it: correct {field}, or have its owner "
        "allow the namespace",
    )


def unready(to: Ref, field: str) -> Finding:
    """A reference to something that is there, may be used, and cannot be made as it is declared."""
    message = (
        f"{to.kind} {to.namespace}/{to.name} cannot be made as it is declared: its own conditions say why"
    )
    return NOT_READY.finding(field, message, f"{_WORDS[to.kind]}NotReady")


def leaving(to: Ref, field: str) -> Finding:
    """A reference to something that is being deleted."""
    message = f"{to.kind} {to.namespace}/{to.name} is being deleted: create it again afterwards, or delete this object"
    return NOT_READY.finding(field, message, f"{_WORDS[to.kind]}Deleting")
