"""What Kafka's error codes mean: whether another try may succeed, which field somebody has to look at, what to do. Pure.

Negative codes are the client library's own, the others are the protocol's. Codes that are not here are refusals in the
server's own words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Sort(Enum):
    """What is to be done about an error."""

    REFUSED = auto()  # somebody has to edit something
    AWAY = auto()  # the cluster does not answer
    UNCERTAIN = auto()  # it may have been done
    OBJECT = auto()  # this one object cannot be read or changed now
    ABSENT = auto()  # there is no such object


@dataclass(frozen=True, slots=True)
class Explained:
    """One error: its stable reason, what is to be done about it, which field it speaks of, what to do there."""

    reason: str
    sort: Sort = Sort.REFUSED
    field: str = ""
    says: str = ""


ALREADY_EXISTS: Final = 36
GROUP_NOT_FOUND: Final = 69
ACTIVE: Final = frozenset({25, 68, 86})  # somebody is in the group
LOGIN: Final = frozenset({-169, 33, 34, 58})  # the cluster answers, and lets us in for nothing at all
DENIED: Final = frozenset({29, 30, 31})  # who may not
_NAME: Final = "spec.externalName"
_CREDENTIALS: Final = "spec.kafka.sasl"
_LEADER: Final = Explained("NoLeader", Sort.OBJECT)
_SOON: Final = Explained("TemporarilyUnavailable", Sort.OBJECT)
_ACTIVE: Final = Explained(
    "GroupActive", Sort.OBJECT, "", "workers of the group are running: scale them to zero for a moment"
)
_DENIED: Final = Explained("PermissionDenied")
_LOGIN: Final = Explained("AuthenticationFailed", field=_CREDENTIALS, says="check mechanism and Secret")
_COPIES: Final = Explained("ReplicasNotPossible", field="spec.replicas", says="declare fewer, or add brokers")
_AWAY: Final = Explained("ConnectFailed", Sort.AWAY)
_LATE: Final = Explained("TimedOut", Sort.UNCERTAIN)
_UNSENT: Final = Explained("ConnectTimeout", Sort.AWAY)

BY_CODE: Final[Mapping[int, Explained]] = {
    # the client library
    -195: _AWAY,
    -193: _AWAY,
    -187: _AWAY,
    -185: _LATE,
    -190: Explained("NotFound", Sort.ABSENT),
    -188: Explained("NotFound", Sort.ABSENT),
    -186: Explained("RequestRefused"),
    -181: Explained(
        "TLSFailed", Sort.AWAY, "spec.kafka.tls", "check authority, names and client certificate"
    ),
    -180: _SOON,
    -166: _UNSENT,
    -165: Explained("UnsupportedByServer", says="update the servers, or leave it out"),
    # what is away for a while
    5: _LEADER,
    6: _LEADER,
    7: _LATE,
    9: _LEADER,
    13: Explained("Disconnected", Sort.AWAY),
    14: _SOON,
    15: _SOON,
    16: _SOON,
    41: _SOON,
    56: Explained("ServerTrouble", Sort.OBJECT),
    85: Explained("MoveInProgress", Sort.OBJECT),
    89: Explained("TooManyRequests", Sort.OBJECT),
    # what is not there
    3: Explained("NotFound", Sort.ABSENT),
    GROUP_NOT_FOUND: Explained("NotFound", Sort.ABSENT),
    100: Explained("NotFound", Sort.ABSENT),
    # who may not
    **dict.fromkeys(DENIED, _DENIED),
    **dict.fromkeys(LOGIN, _LOGIN),
    # what somebody has to edit
    17: Explained("NameInvalid", field=_NAME, says="choose another"),
    24: Explained("NameInvalid", field=_NAME, says="choose another"),
    35: Explained("UnsupportedByServer", says="update the servers, or leave it out"),
    ALREADY_EXISTS: Explained("AlreadyExists", field=_NAME, says="choose another"),
    37: Explained(
        "InvalidSetting", field="spec.partitions", says="a topic only grows: declare what is there, or more"
    ),
    38: _COPIES,
    39: _COPIES,
    40: Explained(
        "InvalidSetting", field="spec.native.kafka", says="correct the config that the server names"
    ),
    42: Explained("RequestRefused"),
    44: Explained(
        "RequestRefused",
        says="a policy of the cluster forbids it: declare what it permits, or have it changed",
    ),
    73: Explained(
        "RequestRefused", field="spec.deletionPolicy", says="the cluster deletes no topics: declare Retain"
    ),
    **dict.fromkeys(ACTIVE, _ACTIVE),
}
_COLLIDES: Final = Explained(
    "NameTaken", field=_NAME, says="Kafka takes dots and underscores for the same: choose another"
)


_NO_TOKENS: Final = Explained(
    "ConnectFailed", Sort.AWAY, _CREDENTIALS, "whoever gives out tokens does not answer"
)


def explained(code: int, text: str) -> Explained:
    """What an error means for whoever wrote the manifest."""
    if code in LOGIN and "OAUTHBEARER token" in text and '"error"' not in text:
        return _NO_TOKENS  # who refuses one says so in JSON
    if code in (17, ALREADY_EXISTS) and "collides" in text:
        return _COLLIDES
    if code == -185 and text.startswith("Failed while waiting for"):  # noqa: PLR2004  (the library's own timeout)
        return _UNSENT  # it never left
    return BY_CODE.get(code, Explained("RequestRefused"))


def told(code: int, text: str, subject: str, right: str) -> str:
    """The error as a sentence: whose it is, field and way out; the server's own words stay at its end.

    `right` is what the credentials must be allowed, as it is written in a list of rights.
    """
    found = explained(code, text)
    says = f"allow the credentials {right}" if found is _DENIED else found.says
    known = ": ".join(part for part in (found.field, says) if part)
    return f"{subject}: {known}; the server says: {text} ({code})" if known else f"{subject}: {text} ({code})"
