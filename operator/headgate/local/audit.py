"""What an API server was asked, exactly, from its audit log. Does not know who asked or why."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request."""

    verb: str
    resource: str  # plural, with the subresource behind a slash: "pods/status"
    namespace: str
    name: str  # empty where the server made it up
    user: str
    agent: str
    code: int
    at: str  # when it arrived, RFC 3339 with microseconds: sorts as text

    @property
    def writes(self) -> bool:
        return self.verb in WRITES


class AuditLog:
    """The audit log of one API server; each `read` goes on where the last one ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> list[Request]:
        """Every request that finished since this object was made or last asked.

        A request is in the log before its answer is on the wire, a watch when it ends: so what a client has seen
        answered is here.
        """
        with self._path.open("rb") as log:
            log.seek(self._offset)
            chunk = log.read()
        whole = chunk[: chunk.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(_requests(whole))


def _requests(lines: bytes) -> Iterator[Request]:
    for line in lines.splitlines():
        event = json.loads(line)
        if target := event.get("objectRef"):
            parts = (target.get("resource", ""), target.get("subresource", ""))
            yield Request(
                verb=event["verb"],
                resource="/".join(part for part in parts if part),
                namespace=target.get("namespace", ""),
                name=target.get("name", ""),
                user=event["user"]["username"],
                agent=event.get("userAgent", ""),
                code=event.get("responseStatus", {}).get("code", 0),
                at=event["requestReceivedTimestamp"],
            )
