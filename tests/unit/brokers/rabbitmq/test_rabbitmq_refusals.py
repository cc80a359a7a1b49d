"""What the management API says no with becomes a stable reason and a way out."""

from collections.abc import Mapping

import pytest

from headgate.brokers.base import BrokerError, Refused, Unavailable, Unreachable
from headgate.brokers.rabbitmq.refusals import error_of

INEQUIVALENT = (
    "inequivalent arg 'x-queue-type' for queue 'q1' in vhost 'hg': received 'stream' but current is 'quorum'"
)
Row = tuple[int, object, type[BrokerError], str, str]
ANSWERS: Mapping[str, Row] = {
    "a wrong password": (
        401,
        {"error": "not_authorized", "reason": "Not_Authorized"},
        Refused,
        "AuthenticationFailed",
        "put the right ones in",
    ),
    "an object that the user may not touch": (
        401,
        {"error": "not_authorised", "reason": "Access refused."},
        Refused,
        "PermissionDenied",
        "extend the user's permissions",
    ),
    "a list for administrators": (
        401,
        {"error": "not_authorised", "reason": "Not administrator user"},
        Refused,
        "PermissionDenied",
        "policymaker",
    ),
    "a policy by a user who writes none": (
        401,
        {"error": "not_authorised", "reason": "User not authorised to access object"},
        Refused,
        "PermissionDenied",
        "policymaker",
    ),
    "a virtual host that is closed": (
        401,
        {"error": "not_authorised", "reason": "User not authorised to access virtual host"},
        Refused,
        "VirtualHostMissing",
        "give the user permissions",
    ),
    "a virtual host that is not there": (
        404,
        {"error": "not_found", "reason": "vhost_not_found"},
        Refused,
        "VirtualHostMissing",
        "make it",
    ),
    "a list of a virtual host that is not there": (
        404,
        {"error": "Object Not Found", "reason": "Not Found"},
        Refused,
        "VirtualHostMissing",
        "make it",
    ),
    "an exchange that went meanwhile": (
        404,
        {"error": "not_found", "reason": "no exchange 'orders' in vhost 'hg'"},
        Unreachable,
        "Changed",
        "orders",
    ),
    "an argument that is fixed": (
        400,
        {"error": "bad_request", "reason": INEQUIVALENT},
        Refused,
        "ImmutableSetting",
        "x-queue-type is quorum and cannot become stream: declare quorum again",
    ),
    "a setting that policies do not have": (
        400,
        {
            "error": "bad_request",
            "reason": 'Validation failed\n\n[{&lt;&lt;"nope"&gt;&gt;,4}] are not recognised',
        },
        Refused,
        "InvalidSetting",
        '<<"nope">>',
    ),
    "a type of exchange that no plugin brings": (
        400,
        {"error": "bad_request", "reason": "unknown exchange type 'x-delayed-message'"},
        Refused,
        "PluginMissing",
        "enable the plugin",
    ),
    "one queue too many": (
        400,
        {
            "error": "bad_request",
            "reason": "cannot declare queue 'q': queue limit in vhost 'hg' (3) is reached",
        },
        Refused,
        "LimitReached",
        "raise the limit",
    ),
    "a server that asks for patience": (429, "slow down", Unreachable, "TooManyRequests", "patience"),
    "a server in trouble": (503, "<html>gone</html>", Unavailable, "ServerTrouble", "503"),
    "anything else": (405, None, Refused, "RequestRefused", "405"),
}


@pytest.mark.parametrize(("status", "body", "kind", "reason", "text"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_about(status: int, body: object, kind: type[BrokerError], reason: str, text: str) -> None:
    error = error_of(status, body, "queues/hg/q1")
    assert (type(error), error.reason) == (kind, reason)
    assert text in str(error)
