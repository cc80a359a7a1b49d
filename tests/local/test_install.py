"""Installing waits for programs that get ready under their own accounts, and says what those wrote that do not."""

import sys
from pathlib import Path

import pytest
from tests.servers import Kubectl

from headgate.local.cluster import Cluster
from headgate.local.errors import LocalError
from headgate.local.install import install
from headgate.local.manifests import Install
from headgate.local.run import Run

pytestmark = pytest.mark.takes(25)

READY = """#!{python}
import http.server, os, pathlib, sys
assert sys.argv[1:3] == ["-m", "headgate"], sys.argv
assert pathlib.Path(os.environ["KUBECONFIG"]).exists()
print("serving", sys.argv[3], "for", os.environ.get("HEADGATE_NAMESPACES"), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer((os.environ["HEADGATE_HOST"], 8080), Handler).serve_forever()
"""
FAILING = "#!{python}\nraise SystemExit('no broker in sight')\n"


def stand_in(servers: Run, name: str, code: str) -> Path:
    """A program that is started in place of Python with the package."""
    path = servers.state / name
    path.write_text(code.format(python=sys.executable))
    path.chmod(0o755)
    return path


MODES = {"for the whole cluster": ("ready-all", ()), "for two namespaces": ("ready-two", ("east", "west"))}


@pytest.mark.parametrize(("home", "served"), MODES.values(), ids=MODES.keys())
async def test_both_components_get_ready(
    cluster: Cluster, servers: Run, kubectl: Kubectl, home: str, served: tuple[str, ...]
) -> None:
    wanted = Install(home, served, python=stand_in(servers, home, READY))
    lines: list[str] = []
    await install(cluster, wanted, lines.append)
    mine = kubectl.within(home)
    deployments = (await mine.get("deployments"))["items"]
    assert {each["metadata"]["name"]: each["status"]["readyReplicas"] for each in deployments} == {
        "headgate-operator": 1,
        "headgate-mover": 1,
    }
    told = ",".join(served) or "None"
    assert await mine.run("logs", "deployment/headgate-operator") == f"serving run for {told}\n"
    assert await mine.run("logs", "deployment/headgate-mover") == f"serving mover for {told}\n"
    assert lines[0] == "installing the CRDs"
    await kubectl.delete("namespace", home, wait=False)


async def test_a_component_that_does_not_get_ready_is_an_error_with_its_last_words(
    cluster: Cluster, servers: Run, kubectl: Kubectl
) -> None:
    wanted = Install("failing", python=stand_in(servers, "failing-program", FAILING))
    with pytest.raises(LocalError, match="no broker in sight") as failed:
        await install(cluster, wanted, limit=4)
    assert failed.value.reason == "InstallFailed"
    await kubectl.delete("namespace", "failing", wait=False)
