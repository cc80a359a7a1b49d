"""`headgate release`: takes our finalizer off objects so that they may go while no operator runs. Touches no broker."""

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from headgate.kube.client import KubeClient

AT_ONCE: Final = 16
NOT_DONE: Final = 1
USAGE: Final = 2


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument(
        "target", nargs="*", metavar="KIND NAMESPACE/NAME", help="one object, e.g. EventTopic shop/orders"
    )
    sub.add_argument("--all", action="store_true", help="every object of every kind")
    sub.add_argument("--namespace", "-n", help="with --all: only in this namespace")
    sub.add_argument(
        "--force", action="store_true", help="also while an operator runs, which will put it back"
    )
    sub.add_argument("--lease", default="headgate-operator", help="name of the operator's Lease")
    sub.add_argument("--lease-namespace", help="where it lives; left out: it is looked for in all namespaces")
    sub.add_argument(
        "--kubeconfig", type=Path, help="file that names the cluster; left out: as kubectl finds it"
    )
    sub.add_argument("--context", default="", help="context of the kubeconfig; left out: the current one")


def run(args: argparse.Namespace) -> int:
    """Release what is named, unless an operator is at work."""
    if args.all == bool(args.target) or (
        args.target and (len(args.target) != len(("KIND", "PATH")) or "/" not in args.target[1])
    ):
        sys.stderr.write("headgate release: name --all, or one object as KIND NAMESPACE/NAME\n")
        return USAGE
    from headgate.kube.client import KubeClient  # noqa: PLC0415  (not needed to print help)
    from headgate.kube.config import ConfigError, load  # noqa: PLC0415
    from headgate.kube.errors import KubeError  # noqa: PLC0415

    async def work() -> int:
        kube = KubeClient(load(os.environ, path=args.kubeconfig, context=args.context))
        try:
            return await _release(kube, args)
        finally:
            await kube.aclose()

    try:
        return asyncio.run(work())
    except (ConfigError, KubeError) as error:
        sys.stderr.write(f"headgate release: {error}\n")
        return NOT_DONE


async def _release(kube: "KubeClient", args: argparse.Namespace) -> int:
    if not args.force and (running := await _running(kube, args)):
        sys.stderr.write(
            f"headgate release: an operator runs ({running}); stop it first (kubectl scale deployment ... --replicas=0),"
            " for it would put the finalizer back, or pass --force\n"
        )
        return NOT_DONE
    found = await _all(kube, args.namespace) if args.all else [await _one(kube, *args.target)]
    from headgate.engine.world import FINALIZER  # noqa: PLC0415  (not needed to print help)

    guarded = [
        (kind, body) for kind, body in found if FINALIZER in (body["metadata"].get("finalizers") or ())
    ]
    gate = asyncio.Semaphore(AT_ONCE)

    async def let_go(kind: str, body: "Mapping[str, Any]") -> bool:
        async with gate:
            return await _let_go(kube, kind, body, FINALIZER)

    done = await asyncio.gather(*(let_go(kind, body) for kind, body in guarded))
    sys.stdout.write(
        f"released {sum(done)} of {len(found)} objects; what they stand for in the brokers is as it was\n"
    )
    return 0 if all(done) else NOT_DONE


async def _running(kube: "KubeClient", args: argparse.Namespace) -> str:
    """Who acts at present; empty when nobody does."""
    namespaces = [args.lease_namespace] if args.lease_namespace else await _lease_namespaces(kube, args)
    holders = await asyncio.gather(*(_holder(kube, namespace, args.lease) for namespace in namespaces))
    return ", ".join(
        f"{holder} by Lease {namespace}/{args.lease}"
        for namespace, holder in zip(namespaces, holders, strict=True)
        if holder
    )


async def _lease_namespaces(kube: "KubeClient", args: argparse.Namespace) -> list[str]:
    """Where operators have a Lease. Who may not look everywhere has to know, for silence would read as safety."""
    from headgate.kube.errors import Forbidden  # noqa: PLC0415

    try:
        return list(await kube.find_leases(args.lease))
    except Forbidden as error:
        asked = args.namespace or (args.target[1].partition("/")[0] if args.target else "")
        near = dict.fromkeys(filter(None, (kube.config.namespace, asked)))
        found = [namespace for namespace in near if await _has_lease(kube, namespace, args.lease)]
        if found:
            return found
        raise Forbidden(
            f"you may not look for the operator's Lease in all namespaces, and there is none called {args.lease} in "
            f"{' or '.join(near)}: say with --lease-namespace where the operator lives, or pass --force if you know that "
            "none runs"
        ) from error


async def _has_lease(kube: "KubeClient", namespace: str, name: str) -> bool:
    from headgate.kube.errors import Forbidden, NotFound  # noqa: PLC0415

    try:
        await kube.get_lease(namespace, name)
    except (Forbidden, NotFound):
        return False
    return True


async def _holder(kube: "KubeClient", namespace: str, name: str) -> str:
    """Who holds one Lease; empty when nobody does. Two looks, for a clock says nothing about another machine's."""
    from headgate.kube.errors import NotFound  # noqa: PLC0415
    from headgate.kube.identity import Holder, this_process  # noqa: PLC0415

    try:
        before = await kube.get_lease(namespace, name)
        if not before.holder or this_process(os.environ).outlived(Holder.parse(before.holder)):
            return ""
        sys.stderr.write(
            f"headgate release: the Lease {namespace}/{name} names {before.holder}; watching whether it is renewed\n"
        )
        deadline = asyncio.get_running_loop().time() + timedelta(seconds=before.duration).total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(1)
            if (await kube.get_lease(namespace, name)).resource_version != before.resource_version:
                return before.holder
    except NotFound:
        return ""
    return ""


async def _all(kube: "KubeClient", namespace: str | None) -> list[tuple[str, "Mapping[str, Any]"]]:
    from headgate.kube.paths import PLURALS  # noqa: PLC0415

    lists = await asyncio.gather(*(kube.list(kind, namespace, metadata_only=True) for kind in PLURALS))
    return [(kind, body) for kind, listing in zip(PLURALS, lists, strict=True) for body in listing.items]


async def _one(kube: "KubeClient", kind: str, path: str) -> tuple[str, "Mapping[str, Any]"]:
    from headgate.kube.errors import NotFound  # noqa: PLC0415
    from headgate.kube.paths import PLURALS  # noqa: PLC0415

    known = {name.lower(): name for name in PLURALS} | {plural: name for name, plural in PLURALS.items()}
    if kind.lower() not in known:
        raise NotFound(f"there is no kind {kind}; there are {', '.join(PLURALS)}")
    namespace, _, name = path.partition("/")
    return known[kind.lower()], await kube.get(known[kind.lower()], namespace, name)


async def _let_go(kube: "KubeClient", kind: str, body: "Mapping[str, Any]", finalizer: str) -> bool:
    """Take the finalizer off one object; one that is gone meanwhile counts as done."""
    from headgate.kube.errors import KubeError, NotFound  # noqa: PLC0415

    meta = body["metadata"]
    rest = tuple(name for name in meta["finalizers"] if name != finalizer)
    try:
        await kube.patch_finalizers(
            kind,
            meta["namespace"],
            meta["name"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            finalizers=rest,
        )
    except NotFound:
        return True
    except KubeError as error:
        sys.stderr.write(f"headgate release: {kind} {meta['namespace']}/{meta['name']}: {error}\n")
        return False
    return True
