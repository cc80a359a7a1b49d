"""Which cluster a process finds, and as whom."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.kube.config import ConfigError, from_kubeconfig, load

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def write(path: Path, user: Mapping[str, Any], cluster: Mapping[str, Any] | None = None) -> Path:
    document = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "platform"}},
            {"name": "elsewhere", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://one:6443/", **(cluster or {})}},
            {"name": "d", "cluster": {"server": "https://two:6443"}},
        ],
        "users": [{"name": "u", "user": dict(user)}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    config = from_kubeconfig(write(tmp_path / "kc", {"token": "t0ken"}))
    assert (config.server, config.namespace, config.token) == ("https://one:6443", "platform", "t0ken")


def test_a_named_context_is_taken_instead(tmp_path: Path) -> None:
    config = from_kubeconfig(write(tmp_path / "kc", {}), "elsewhere")
    assert (config.server, config.namespace) == ("https://two:6443", "default")


def test_inline_material_is_decoded(tmp_path: Path) -> None:
    inline = base64.b64encode(CA.encode()).decode()
    config = from_kubeconfig(write(tmp_path / "kc", {}, {"certificate-authority-data": inline}))
    assert config.ca == CA


def test_a_file_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    config = from_kubeconfig(write(tmp_path / "kc", {}, {"certificate-authority": "ca.pem"}))
    assert config.ca == CA


def test_no_secret_is_in_what_a_config_prints(tmp_path: Path) -> None:
    config = from_kubeconfig(write(tmp_path / "kc", {"token": "canary-token"}))
    assert "canary" not in repr(config)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a plug-in that signs in is refused and says what to use": ({"exec": {"command": "aws"}}, "", "plug-in"),
    "a context that is not there is named": ({}, "nowhere", "'nowhere' under contexts"),
}


@pytest.mark.parametrize(("user", "context", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_said(tmp_path: Path, user: dict[str, Any], context: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        from_kubeconfig(write(tmp_path / "kc", user), context)


def account(folder: Path) -> Path:
    folder.mkdir()
    (folder / "token").write_text("mounted")
    (folder / "ca.crt").write_text(CA)
    (folder / "namespace").write_text("headgate\n")
    return folder


def test_a_pod_uses_what_it_is_given(tmp_path: Path) -> None:
    folder = account(tmp_path / "sa")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    config = load(environment, service_account=folder)
    found = (config.server, config.namespace, config.token_file, config.ca)
    assert found == ("https://[fd00::1]:443", "headgate", folder / "token", CA)


def test_a_named_file_goes_before_the_pods_own(tmp_path: Path) -> None:
    environment = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBECONFIG": str(write(tmp_path / "kc", {"token": "t0ken"})),
    }
    assert load(environment, service_account=account(tmp_path / "sa")).server == "https://one:6443"


def test_a_kubeconfig_that_is_not_there_is_an_error_and_not_a_reason_to_look_elsewhere(
    tmp_path: Path,
) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": str(tmp_path / "missing")}
    with pytest.raises(ConfigError, match="does not exist"):
        load(environment, service_account=account(tmp_path / "sa"))


def test_without_any_cluster_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set KUBECONFIG"):
        load({"HOME": str(tmp_path)})
