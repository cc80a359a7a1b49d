"""Where things live in the API server. Sends nothing."""

from typing import Final

from headgate.api.kinds import API_VERSION, KINDS

API: Final = f"/apis/{API_VERSION}"
PLURALS: Final = {kind.kind: kind.plural for kind in KINDS}


def of_kind(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    """The path of one of our own kinds; of all namespaces for None."""
    return _join(API, namespace, PLURALS[kind], name, subresource)


def core(plural: str, namespace: str | None, name: str = "") -> str:
    """The path of something in the core group."""
    return _join("/api/v1", namespace, plural, name)


def of_group(
    api_version: str, plural: str, namespace: str | None, name: str = "", subresource: str = ""
) -> str:
    """The path of something in any group."""
    return _join(group_root(api_version), namespace, plural, name, subresource)


def group_root(api_version: str) -> str:
    """Where an API version begins."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _join(root: str, namespace: str | None, *parts: str) -> str:
    start = f"{root}/namespaces/{namespace}" if namespace else root
    return "/".join((start, *(part for part in parts if part)))
