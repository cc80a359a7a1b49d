"""What happens to a virtual host behind the operator's back, done with plain HTTP. Knows nothing of the adapter."""

import json
from typing import Any
from urllib.parse import quote

import aiohttp


class Hand:
    """An administrator's hand in one virtual host."""

    def __init__(self, http: aiohttp.ClientSession, vhost: str) -> None:
        self._http, self.vhost = http, quote(vhost, safe="")

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; a refusal fails the test."""
        async with self._http.request(method, path, json=body) as response:
            text = await response.text()
            assert response.ok, f"{method} {path}: {response.status} {text}"
            return json.loads(text) if text else None

    async def status(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """One request of which the answer is what counts."""
        async with self._http.request(method, path, json=body) as response:
            return response.status, await response.text()

    async def queue(self, name: str, **arguments: Any) -> None:
        body = {"durable": True, "arguments": {"x-queue-type": "quorum", **arguments}}
        await self.ask("PUT", f"queues/{self.vhost}/{name}", body)

    async def exchange(self, name: str, kind: str = "topic") -> None:
        await self.ask("PUT", f"exchanges/{self.vhost}/{name}", {"type": kind, "durable": True})

    async def policy(
        self, name: str, pattern: str, definition: dict[str, Any], *, priority: int = 0, to: str = "all"
    ) -> None:
        body = {"pattern": pattern, "apply-to": to, "priority": priority, "definition": definition}
        await self.ask("PUT", f"policies/{self.vhost}/{quote(name, safe='')}", body)

    async def drop(self, kind: str, name: str) -> None:
        await self.ask("DELETE", f"{kind}/{self.vhost}/{quote(name, safe='')}")

    async def names(self, kind: str) -> set[str]:
        return {each["name"] for each in await self.ask("GET", f"{kind}/{self.vhost}?disable_stats=true")}

    async def publish(self, exchange: str, key: str, payload: str = "x") -> bool:
        """Whether any queue took it."""
        body = {"properties": {}, "routing_key": key, "payload": payload, "payload_encoding": "string"}
        found = await self.ask("POST", f"exchanges/{self.vhost}/{exchange}/publish", body)
        return bool(found["routed"])

    async def take(self, queue: str, count: int = 1, mode: str = "ack_requeue_false") -> list[dict[str, Any]]:
        """Messages from the head, settled as the mode says."""
        body = {"count": count, "ackmode": mode, "encoding": "auto"}
        found: list[dict[str, Any]] = await self.ask("POST", f"queues/{self.vhost}/{queue}/get", body)
        return found

    async def seen(self, queue: str) -> dict[str, Any]:
        """A queue as the server collected it last."""
        found: dict[str, Any] = await self.ask("GET", f"queues/{self.vhost}/{queue}")
        return found
