"""What the Kubernetes API can answer instead of doing what was asked. Knows no transport and no broker.

The error tree; a method of the client raises nothing else:

KubeError
├── Unavailable    may work later; `retry_after` is the server's own wish
│   ├── Unknown    the answer was lost: a write may have been carried out
│   └── Fenced     this process is not, or no longer, the one that may write
├── NotFound       the object, or its kind, is not there
├── Conflict       somebody wrote in between, the name is taken, or the object is another one of that name
├── Forbidden      our ServiceAccount may not do this
└── Invalid        the server understood and said no; asking again gives the same answer
"""

from http import HTTPStatus


class KubeError(Exception):
    """Anything the Kubernetes API did not do; `reason` is CamelCase and stable, the text never holds a Secret."""

    reason = "KubernetesError"

    def __init__(self, message: str, *, code: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class Unavailable(KubeError):  # noqa: N818  (an outcome, named as in the engine)
    """The API server did not answer, is overloaded or failed; another try may succeed."""

    reason = "KubernetesUnavailable"


class Unknown(Unavailable):
    """The request was sent and its answer never came."""

    reason = "KubernetesUnknown"


class Fenced(Unavailable):
    """The Lease is not ours, so nothing was sent."""

    reason = "LeaseLost"


class NotFound(KubeError):  # noqa: N818  (an outcome)
    """There is no such object, or no such kind."""

    reason = "NotFound"


class Conflict(KubeError):  # noqa: N818  (an outcome)
    """The object moved on, is taken, or was made anew."""

    reason = "Conflict"


class Forbidden(KubeError):  # noqa: N818  (an outcome)
    """Not permitted, or not authenticated."""

    reason = "Forbidden"


class Invalid(KubeError):  # noqa: N818  (an outcome)
    """Refused for good."""

    reason = "Invalid"


_BY_STATUS: dict[int, type[KubeError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.PRECONDITION_FAILED: Conflict,
    HTTPStatus.GONE: Unavailable,
    HTTPStatus.REQUEST_TIMEOUT: Unavailable,
    HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: Unknown,
}


def error_of(code: int, message: str, retry_after: str | None = None) -> KubeError:
    """The error that an HTTP status stands for."""
    fallback = Unavailable if code >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid
    wait = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return _BY_STATUS.get(code, fallback)(message, code=code, retry_after=wait)
