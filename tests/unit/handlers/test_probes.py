"""What a kubelet and Prometheus get to hear."""

import aiohttp

from headgate.handlers.probes import Probes
from headgate.telemetry.metrics import Metrics


async def ask(probes: Probes, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{probes.port}{path}") as response,
    ):
        return response.status, await response.text()


async def test_all_is_well_until_a_check_says_what_is_wrong() -> None:
    wrong = ""
    probes = Probes("127.0.0.1", 0, live={"watches": lambda: wrong}, ready={}, metrics=Metrics())
    async with probes:
        assert await ask(probes, "/livez") == (200, '{"ok": true}')
        wrong = "eventtopics: nothing for 151s"
        status, body = await ask(probes, "/livez")
        assert (status, wrong in body) == (503, True)
        assert (await ask(probes, "/readyz"))[0] == 200


async def test_figures_are_taken_when_they_are_asked_for() -> None:
    metrics = Metrics()
    probes = Probes(
        "127.0.0.1", 0, live={}, ready={}, metrics=metrics, before_metrics=lambda: metrics.queue_depth.set(4)
    )
    async with probes:
        status, body = await ask(probes, "/metrics")
    assert (status, "headgate_queue_depth 4.0" in body) == (200, True)
