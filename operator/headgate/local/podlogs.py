"""`kubectl logs` for programs that write to files: the one question of the kubelet's own API that is answered here.

Only the API server may ask, by its certificate. It does not know what writes the files.
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

from aiohttp import web

CHUNK = 65536
LOOK = 0.2  # seconds between two looks at a file that is followed


def trusting(directory: Path) -> ssl.SSLContext:
    """Show the kubelet's certificate, want one of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(directory / "ca.crt"))
    context.load_cert_chain(directory / "kubelet.crt", directory / "kubelet.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def serve_logs(logs: Path, port: int, context: ssl.SSLContext) -> web.AppRunner:
    """Answer on a port of the loopback address until the runner is cleaned up."""
    app = web.Application()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await _answer(logs, request)

    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    return runner


async def _answer(logs: Path, request: web.Request) -> web.StreamResponse:
    names = [request.match_info[part] for part in ("namespace", "pod", "container")]
    if any(name.startswith(".") or "/" in name for name in names):
        raise web.HTTPBadRequest
    path = logs / names[0] / names[1] / f"{names[2]}.log"
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    tail = request.query.get("tailLines")
    offset = _start_of(path, int(tail)) if tail else 0
    follow = request.query.get("follow") == "true"
    with suppress(ConnectionResetError):  # whoever read has seen enough
        while True:
            chunk = _read(path, offset)
            if chunk:
                await response.write(chunk)
                offset += len(chunk)
            elif follow:
                await asyncio.sleep(LOOK)
            else:
                break
    return response


def _read(path: Path, offset: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as log:
        log.seek(offset)
        return log.read(CHUNK)


def _start_of(path: Path, lines: int) -> int:
    """Where the last so many lines begin."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    kept = content.splitlines(keepends=True)[-lines:] if lines else []
    return len(content) - sum(map(len, kept))
