"""Names that are ours in RabbitMQ, which names it takes, and subjects in its grammar. Pure."""

import re
from datetime import timedelta
from typing import Final

from headgate.core.subjects import ONE, REST, SEPARATOR

UNROUTED_NAME: Final = "headgate_unrouted"  # where events go that no binding takes
_RESERVED: Final = "amq."
_LONGEST: Final = 255  # bytes of a name or a routing key
_SUFFIX: Final = 32  # room for what is put behind a name to make another one
_POLICY: Final = re.compile(
    r"headgate:(?P<kind>exchange|queue):(?P<object>.+):(?P<mark>[^:/]+/[^:/]+/[^:/]+/[^:/]+)"
)
_STEP: Final = re.compile(r"(?P<queue>.+)\.retry-\d+")
_HASH: Final = "#"


def illegal(name: str) -> str:
    """Why RabbitMQ does not take a name, or ours beside it; empty when it does."""
    if name.startswith(_RESERVED):
        return f"begins with {_RESERVED}, which belongs to the server"
    if len(name.encode()) > _LONGEST - _SUFFIX:
        return f"has more than {_LONGEST - _SUFFIX} bytes"
    return ""


def replay_name(exchange: str) -> str:
    """The stream that keeps what was published to an exchange."""
    return f"{exchange}.replay"


def step_name(queue: str, wait: timedelta) -> str:
    """The queue in which events of another one wait for so long."""
    return f"{queue}.retry-{wait // timedelta(milliseconds=1)}"


def step_of(name: str) -> str | None:
    """The queue whose step this is by its name; None where it is none."""
    found = _STEP.fullmatch(name)
    return found["queue"] if found else None


def desk_name(queue: str) -> str:
    """What whoever goes through a queue holds meanwhile, so that nobody else does."""
    return f"{queue}.desk"


def closed_name(queue: str) -> str:
    """The stream that remembers who closed which entry of a dead-letter queue, and why."""
    return f"{queue}.closed"


def policy_name(kind: str, name: str, mark: str) -> str:
    """The one policy of an object; it tells whose object that is, also where the object itself cannot."""
    return f"headgate:{kind}:{name}:{mark}"


def mark_in(policy: str, kind: str, name: str) -> str | None:
    """The mark in the name of a policy, where it is one of ours for this object."""
    found = _POLICY.fullmatch(policy)
    return found["mark"] if found and (found["kind"], found["object"]) == (kind, name) else None


def pattern_of(name: str) -> str:
    """The pattern of a policy that takes this one name."""
    return f"^{re.escape(name)}$"


def binding_key(subject: str) -> str:
    """A subject or filter as a topic exchange takes it: the rest is at least one word there too."""
    head, _, last = subject.rpartition(SEPARATOR)
    if last != REST:
        return subject
    return SEPARATOR.join(filter(None, (head, ONE, _HASH)))


def unbindable(subject: str) -> str:
    """Why a subject cannot be bound as it is meant; empty when it can."""
    if _HASH in subject.split(SEPARATOR):
        return f"has {_HASH} as a word of its own, which stands for any words there"
    if len(binding_key(subject).encode()) > _LONGEST:
        return f"is longer than the {_LONGEST} bytes that a routing key may have"
    return ""
