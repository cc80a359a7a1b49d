"""Where the API server is and how to prove who we are: a kubeconfig file, or the mounted ServiceAccount. Sends nothing."""

import base64
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConfigError(Exception):
    """There is no usable way to the cluster; the text says which file lacks what."""


@dataclass(frozen=True, slots=True)
class KubeConfig:
    """One cluster and one identity in it."""

    server: str
    namespace: str = "default"
    ca: str = field(default="", repr=False)  # PEM; empty: the system's authorities
    insecure: bool = False
    client_certificate: bytes = field(default=b"", repr=False)  # PEM
    client_key: bytes = field(default=b"", repr=False)  # PEM
    token: str = field(default="", repr=False)
    token_file: Path | None = None  # read again when it changes: mounted tokens expire
    server_name: str = ""  # what the certificate is checked against, where that is not the address

    def tls(self) -> ssl.SSLContext | bool:
        """How to trust the server and, with a client certificate, how to be trusted; True for plain http."""
        if not self.server.startswith("https:"):
            return True
        context = ssl.create_default_context(cadata=self.ca or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            _present(context, self.client_certificate, self.client_key)
        return context


def load(
    environment: Mapping[str, str],
    *,
    path: Path | None = None,
    context: str = "",
    service_account: Path = SERVICE_ACCOUNT,
) -> KubeConfig:
    """The cluster to talk to: the named file, else $KUBECONFIG, else the ServiceAccount, else ~/.kube/config."""
    for candidate in [path] if path else [Path(p) for p in environment.get("KUBECONFIG", "").split(":") if p]:
        if not candidate.is_file():
            raise ConfigError(f"the kubeconfig {candidate} does not exist")
        return from_kubeconfig(candidate, context)
    if "KUBERNETES_SERVICE_HOST" in environment and (service_account / "token").is_file():
        return from_service_account(environment, service_account)
    home = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if home.is_file():
        return from_kubeconfig(home, context)
    raise ConfigError("no cluster: set KUBECONFIG, pass --kubeconfig, or run in a pod with a ServiceAccount")


def from_service_account(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> KubeConfig:
    """What a pod is given."""
    host = environment["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    namespace = folder / "namespace"
    return KubeConfig(
        server=f"https://{host}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        ca=(folder / "ca.crt").read_text(),
        token_file=folder / "token",
    )


def from_kubeconfig(path: Path, context: str = "") -> KubeConfig:
    """One context of a kubeconfig file; the current one where none is named."""
    import yaml  # noqa: PLC0415  (a pod with a ServiceAccount never needs it)

    document = yaml.safe_load(path.read_text()) or {}
    name = context or document.get("current-context") or ""
    chosen = _named(document, "contexts", name, path)["context"]
    cluster = _named(document, "clusters", chosen.get("cluster", ""), path)["cluster"]
    user = _named(document, "users", chosen.get("user", ""), path)["user"] or {} if chosen.get("user") else {}
    if "exec" in user or "auth-provider" in user:
        raise ConfigError(
            f"{path}: user {chosen['user']!r} signs in through a plug-in, which Headgate does not run; use a token or a certificate"
        )
    token_file = user.get("tokenFile")
    return KubeConfig(
        server=str(cluster["server"]).rstrip("/"),
        namespace=chosen.get("namespace") or "default",
        ca=_material(cluster, "certificate-authority", path).decode(),
        insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        client_certificate=_material(user, "client-certificate", path),
        client_key=_material(user, "client-key", path),
        token=str(user.get("token") or ""),
        token_file=path.parent / token_file if token_file else None,
        server_name=str(cluster.get("tls-server-name") or ""),
    )


def _named(document: Mapping[str, Any], section: str, name: str, path: Path) -> Mapping[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry
            return found
    raise ConfigError(f"{path}: there is no entry {name!r} under {section}")


def _material(section: Mapping[str, Any], key: str, path: Path) -> bytes:
    """The content of a field that is either inline or the name of a file beside the kubeconfig."""
    if inline := section.get(f"{key}-data"):
        return base64.b64decode(str(inline))
    if named := section.get(key):
        return (path.parent / str(named)).read_bytes()
    return b""


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key, which the ssl module takes from files only."""
    with tempfile.NamedTemporaryFile() as pem:  # mode 0600, gone as soon as it was read
        pem.write(certificate + b"\n" + key)
        pem.flush()
        context.load_cert_chain(pem.name)
