"""What a kubelet and Prometheus ask: alive, ready, figures. Knows how to answer, not what makes it true."""

import json
from collections.abc import Callable, Mapping
from typing import Self

from aiohttp import web

from headgate.telemetry.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], str]
"""Empty when all is well, else what is wrong."""


class Probes:
    """A small HTTP server with /livez, /readyz and /metrics."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
        metrics: Metrics,
        before_metrics: Callable[[], None] = lambda: None,
    ) -> None:
        self._where = (host, port)
        self._checks = {"/livez": live, "/readyz": ready}
        self._metrics = metrics
        self._before_metrics = before_metrics
        app = web.Application()
        app.add_routes([web.get(path, self._judge) for path in self._checks])
        app.add_routes([web.get("/metrics", self._figures)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    @property
    def port(self) -> int:
        """The port in use; of interest where 0 was asked for."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._where).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _judge(self, request: web.Request) -> web.Response:
        found = {name: check() for name, check in self._checks[request.path].items()}
        wrong = {name: what for name, what in found.items() if what}
        body = json.dumps({"ok": not wrong, "wrong": wrong} if wrong else {"ok": True})
        return web.Response(text=body, status=503 if wrong else 200, content_type="application/json")

    async def _figures(self, request: web.Request) -> web.Response:
        del request
        self._before_metrics()
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})
