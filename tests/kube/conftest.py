"""What tests of the whole operator share: namespaces, a broker and an operator for each module."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import pytest_asyncio

from headgate.local.client import ApiError, Client
from headgate.local.install import install_crds
from headgate.local.waiting import until

NamespaceOf = Callable[..., Awaitable[str]]
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session")
async def crds(api: Client) -> None:
    """The kinds are served."""
    await install_crds(api)


@pytest_asyncio.fixture(scope="module")
async def namespace_of(api: Client, crds: None, request: pytest.FixtureRequest) -> AsyncIterator[NamespaceOf]:
    """Makes namespaces that last as long as the module, each usable at once."""
    del crds
    made: list[str] = []
    stem = request.module.__name__.rpartition(".")[2].removeprefix("test_estate_").replace("_", "-")

    async def of(what: str, **labels: str) -> str:
        name = f"{stem}-{what}-{next(_numbers)}"
        await api.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})

        async def has_account() -> bool:
            return bool((await api.get(f"/api/v1/namespaces/{name}/serviceaccounts"))["items"])

        await until("the namespace has its default ServiceAccount", has_account)
        made.append(name)
        return name

    yield of
    for name in made:
        with suppress(ApiError):  # a test may have deleted it itself
            await api.delete(f"/api/v1/namespaces/{name}")
