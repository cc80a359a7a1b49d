"""From options, a manifest and a file of arrivals to the scenario that is simulated. Prints nothing."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from headgate.api import ConsumerGroupSpec
from headgate.cli.manifests import STDIN, Manifests, read
from headgate.core.estate import Declared
from headgate.core.members import member
from headgate.core.rates import recalled
from headgate.core.workload import Member
from headgate.sim.setting import (
    BEGINNING,
    STANDARD_RATE,
    USUAL_TERMS,
    USUAL_WORKERS,
    Scenario,
    Terms,
    Trace,
    Workers,
)
from headgate.sim.traces import MORE, TRACES, BadTraceError, from_csv

_KNOWN: Final = {**TRACES, **MORE}
_PATIENCE: Final = timedelta(minutes=1)  # no policy for retries is at hand
_WORKERS: Final = ("partitions", "service_rate", "pod_start", "commit_interval", "pause")
_ASSUMED: Final = (
    f"how many events one replica handles per second is not known; {STANDARD_RATE:g} are assumed"
)


class InputError(ValueError):
    """Something that was given cannot be simulated; says what, and what was expected."""

    reason: Final = "BadInput"


def scenario_of(args: argparse.Namespace) -> tuple[Scenario, tuple[str, ...]]:
    """What is to be simulated, and what had to be assumed. InputError says what is wrong with what was given."""
    workers, terms, notes = _group(args.group, args.name) if args.group else (USUAL_WORKERS, USUAL_TERMS, ())
    if args.name and not args.group:
        raise InputError("--name is given without --group; expected the file in which the group stands")
    chosen = {name: value for name in _WORKERS if (value := getattr(args, name)) is not None}
    if "service_rate" in chosen:
        notes = tuple(note for note in notes if note != _ASSUMED)
    workers = replace(workers, **chosen)
    workers = replace(workers, partitions=workers.partitions or None, eager=args.eager)
    trace = _trace(args.trace)
    if trace.failing is not None and workers.partitions is not None:
        raise InputError(f"--trace {trace.name}: is about a queue; add --partitions 0")
    begins = args.begins or BEGINNING
    if terms.windows and args.begins is None:
        notes = (
            *notes,
            f"for spec.scaling.schedule the trace begins at {begins:%Y-%m-%dT%H:%MZ}; see --begins",
        )
    return Scenario(trace, workers, _terms(args, terms), args.seed, begins), notes


def _terms(args: argparse.Namespace, declared: Terms) -> Terms:
    promise = args.promise or declared.promise
    drain = args.drain_within or (declared.drain_within if args.promise is None else promise)
    maximum = args.max_replicas or declared.maximum
    minimum = declared.minimum if args.min_replicas is None else args.min_replicas
    if minimum is not None and minimum > maximum:
        raise InputError(f"the minimum of {minimum} replicas is above the maximum of {maximum}")
    return replace(declared, promise=promise, drain_within=drain, minimum=minimum, maximum=maximum)


def _trace(named: str) -> Trace:
    if named in _KNOWN:
        return _KNOWN[named]
    path = Path(named)
    if not path.exists():
        known = ", ".join(_KNOWN)
        raise InputError(f"--trace {named}: is no file, and no standard trace; these are {known}")
    try:
        return from_csv(path.stem, path.read_text(encoding="utf-8").splitlines())
    except (BadTraceError, UnicodeDecodeError) as error:
        raise InputError(f"{named}: {error}") from error


def _group(file: str, name: str | None) -> tuple[Workers, Terms, tuple[str, ...]]:
    """What a group declares and what its status knows."""
    found = read([file], "default")
    if found.complaints:
        first = found.complaints[0]
        where = " ".join(str(part) for part in (first.place, first.ref, first.error.path) if part)
        raise InputError(f"{where}: {first.error.message}")
    declared = _chosen(found, "stdin" if file == STDIN else file, name)
    status: Mapping[str, Any] = found.bodies[declared.ref].get("status") or {}
    learned: Mapping[str, str] = (status.get("record") or {}).get("learned") or {}
    said = member(declared, _PATIENCE, learned)
    if said is None:
        raise InputError(f"{declared.ref}: spec.scaling is missing; expected the workload and its bounds")
    return _read(declared.spec, said, status)


def _chosen(found: Manifests, file: str, name: str | None) -> Declared[ConsumerGroupSpec]:
    groups = {f"{ref.namespace}/{ref.name}": group for ref, group in found.estate.groups.items()}
    there = ", ".join(groups) or "none"
    if name is not None:
        if name not in groups:
            raise InputError(f"--name {name}: is no ConsumerGroup of {file}; there are {there}")
        return groups[name]
    if len(groups) != 1:
        raise InputError(f"{file}: has {len(groups)} ConsumerGroups ({there}); expected one, or --name")
    return next(iter(groups.values()))


def _read(
    spec: ConsumerGroupSpec, said: Member, status: Mapping[str, Any]
) -> tuple[Workers, Terms, tuple[str, ...]]:
    notes = []
    rate = said.capacity or recalled(said.learned)
    if rate is None:
        notes.append(_ASSUMED)
    if spec.freshness is None:
        notes.append("spec.freshness is missing; events older than drainWithin count as late")
    drain = _whole_seconds(said.drain_within)
    current = (status.get("scaling") or {}).get("current")
    workers = Workers(
        partitions=None,
        service_rate=rate or STANDARD_RATE,
        concurrency=said.per_replica or 1,
        in_flight_limit=said.total if said.per_replica else None,
        replicas=current if isinstance(current, int) else None,
    )
    terms = Terms(
        promise=drain if said.promise is None else _whole_seconds(said.promise),
        drain_within=drain,
        minimum=said.rule.minimum,
        maximum=said.rule.maximum,
        idle_after=_whole_seconds(said.rule.idle_after),
        capacity=said.capacity,
        floor=said.rule.floor,
        windows=said.windows,
        learned=said.learned,
    )
    return workers, terms, tuple(notes)


def _whole_seconds(span: timedelta) -> int:
    return max(1, math.ceil(span.total_seconds()))
