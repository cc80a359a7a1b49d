"""The one file that tells clients where an API server is and who they are. Does not know which server that is."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.local.errors import LocalError


@dataclass(frozen=True, slots=True)
class Access:
    """An API server and an identity on it."""

    url: str
    authority: bytes  # PEM
    token: str
    namespace: str = "default"

    def render(self) -> str:
        """The text of a kubeconfig."""
        cluster = {
            "server": self.url,
            "certificate-authority-data": base64.b64encode(self.authority).decode(),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "contexts": [
                {
                    "name": "local",
                    "context": {"cluster": "local", "user": "local", "namespace": self.namespace},
                }
            ],
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "local", "user": {"token": self.token}}],
        }
        return json.dumps(config, indent=1)  # JSON is YAML, and needs no care with quotes

    def write(self, path: Path) -> None:
        """Write the kubeconfig for the owner only, in one step."""
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(self.render())
        unfinished.replace(path)


def load(path: Path) -> Access:
    """Read back what `Access.write` wrote; other kubeconfigs may say more than is understood here."""
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text())  # Any: a file may hold anything
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"])
        namespace = config["contexts"][0]["context"].get("namespace", "default")
        return Access(cluster["server"], authority, user["token"], namespace)
    except (KeyError, IndexError, TypeError) as error:
        raise LocalError(
            "BadKubeconfig", f"{path} is not a kubeconfig of a local cluster: {error!r}"
        ) from error
