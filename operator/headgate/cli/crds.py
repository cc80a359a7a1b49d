"""`headgate crds`: prints the custom resource definitions of this version. Applies nothing."""

import argparse
import sys


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.add_argument("kinds", nargs="*", metavar="KIND", help="only these kinds; left out: all of them")


def run(args: argparse.Namespace) -> int:
    """Print them as one YAML stream, to be piped into kubectl apply --server-side -f -."""
    from headgate.api import KINDS  # noqa: PLC0415  (pydantic is not needed to print help)
    from headgate.api.crd import render  # noqa: PLC0415

    wanted = {kind.lower() for kind in args.kinds}
    unknown = wanted - {kind.kind.lower() for kind in KINDS}
    if unknown:
        known = ", ".join(kind.kind for kind in KINDS)
        sys.stderr.write(f"headgate crds: no kind {', '.join(sorted(unknown))}; there are {known}\n")
        return 2
    for kind in KINDS:
        if not wanted or kind.kind.lower() in wanted:
            sys.stdout.write(f"---\n{render(kind)}")
    return 0
