"""What RabbitMQ's management API says no with, in the words of the seam. Pure: decides by status and text alone."""

import html
import re
from typing import Any, Final

from headgate.brokers.base import BrokerError, Refused, Unavailable, Unreachable

_INEQUIVALENT: Final = re.compile(
    r"inequivalent arg '(?P<name>[^']*)' for (?P<kind>\w+) '(?P<object>[^']*)' in vhost '[^']*': "
    r"received (?P<wanted>.*) but current is (?P<found>.*)",
    re.DOTALL,
)
_FORBIDDEN: Final = (400, 401, 403)
_TROUBLE: Final = 500


def error_of(status: int, body: Any, what: str) -> BrokerError:  # noqa: ANN401  (JSON, or what a proxy said instead)
    """The error behind an answer; `what` names the object that was asked about."""
    text = reason_in(body)
    if status == 404 and text == "Not Found":  # noqa: PLR2004  (what a list of nothing says)
        text = "vhost_not_found"
    if "vhost_not_found" in text or "User not authorised to access virtual host" in text:
        return Refused(
            "VirtualHostMissing",
            f"{what}: the virtual host is not there or closed to this user; make it, or give the user permissions in it",
        )
    if status in _FORBIDDEN and (denied := _denied(text, what)) is not None:
        return denied
    if status == 400:  # noqa: PLR2004  (HTTP)
        return _bad_request(text, what)
    return _by_status(status, text, what)


def _by_status(status: int, text: str, what: str) -> BrokerError:
    if status == 404 and text.startswith("no "):  # noqa: PLR2004  (HTTP)
        return Unreachable("Changed", f"{what}: {_short(text)}: it went while something was bound to it")
    if status == 429:  # noqa: PLR2004  (HTTP)
        return Unreachable("TooManyRequests", f"{what}: the server asks for patience")
    if status >= _TROUBLE:
        return Unavailable("ServerTrouble", f"{what}: the server answered {status}: {_short(text)}")
    return Refused("RequestRefused", f"{what}: the server answered {status}: {_short(text)}")


def reason_in(body: Any) -> str:  # noqa: ANN401  (as above)
    """The sentence in an answer, whichever of its fields holds it."""
    if isinstance(body, dict):
        return html.unescape(str(body.get("reason") or body.get("error") or ""))
    return str(body or "")


def _denied(text: str, what: str) -> Refused | None:
    """Who logs in, what they may see and what they may touch are three things with three ways out."""
    low = text.lower()
    if low.startswith(("not_authorized", "login failed")) or "authentication" in low:
        return Refused(
            "AuthenticationFailed",
            "the management API does not accept username and password; put the right ones in",
        )
    if "access refused" in low or "access_refused" in low:
        return Refused(
            "PermissionDenied",
            f"{what}: the user lacks the permission to configure, write or read it; names that begin with amq. belong "
            "to the server; extend the user's permissions in this virtual host",
        )
    if "user" in low and ("authorised" in low or low.startswith("not ")):
        return Refused(
            "PermissionDenied", f"{what}: the user lacks a tag; give it policymaker ({_short(text)})"
        )
    return None


def _bad_request(text: str, what: str) -> Refused:
    if found := _INEQUIVALENT.search(text):
        name, wanted, current = (_short(found[part]) for part in ("name", "wanted", "found"))
        return Refused(
            "ImmutableSetting",
            f"{what}: {name} is {current} and cannot become {wanted}: declare {current} again, or move to an object with "
            "another externalName; nothing was changed",
        )
    if "unknown exchange type" in text or "invalid exchange type" in text:
        return Refused(
            "PluginMissing", f"{what}: {_short(text)}; enable the plugin that brings it on every node"
        )
    if "limit" in text and ("exceeded" in text or "is reached" in text):
        return Refused(
            "LimitReached", f"{what}: {_short(text)}; raise the limit of the virtual host or the user"
        )
    return Refused("InvalidSetting", f"{what}: the server does not take it: {_short(text)}")


def _short(text: str) -> str:
    return " ".join(text.split())[:300].strip("'")
