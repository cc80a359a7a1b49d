"""All that is wrong with an estate in files, object by object and between objects. Prints nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate.brokers.base import BrokerFacts, Driver
from headgate.cli.manifests import Complaint, Manifests, Place
from headgate.core.compiled import Effect
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.index import Index
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resolve import references, resolve, unplaced
from headgate.core.rule import Severity
from headgate.core.rules_of_reference import NAME_TAKEN, NOT_FOUND, NOT_OPEN, NOT_READY

REFERRING: Final[Mapping[str, str]] = {
    "spec.brokerRef": "EventBroker",
    "spec.topicRef": "EventTopic",
    "spec.retryPolicyRef": "RetryPolicy",
    "spec.deadLetterQueueRef": "DeadLetterQueue",
}
NEWEST: Final = BrokerFacts(type="", server_version="the newest", identity="", level=10**6, nodes=9)
_ABSENT: Final = (NOT_FOUND.id, NOT_OPEN.id)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong or worth saying, and where."""

    place: Place
    ref: Ref | None
    field: str
    rule: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        mark = ", ".join(
            word for word in (self.rule, "warning" if self.severity is Severity.WARNING else "") if word
        )
        where = " ".join(str(part) for part in (self.place, self.ref, self.field) if part)
        return f"{where}: {f'[{mark}] ' if mark else ''}{self.message}"


def problems(manifests: Manifests, driver: Driver | None = None) -> list[Problem]:
    """Everything, in the order of the files; with a driver also what its kind of broker cannot do, at its newest."""
    declared = _all(manifests.estate)
    found = [_complaint(complaint) for complaint in manifests.complaints]
    for ref, finding in (*_findings(manifests), *_translated(manifests.estate, driver)):
        there = _target(declared[ref], finding)
        unread = there in manifests.places and there not in declared
        repeats = finding.rule == NOT_READY.id or (finding.rule in _ABSENT and unread)
        if not repeats:
            found.append(_problem(manifests, ref, finding, there))
    return sorted(found, key=lambda problem: (problem.place, str(problem.ref), problem.field, problem.rule))


def _findings(manifests: Manifests) -> Iterator[tuple[Ref, Finding]]:
    estate, index = manifests.estate, Index.of(manifests.estate)
    for ref, findings in unplaced(estate).items():
        yield from ((ref, finding) for finding in findings)
    for broker in estate.brokers:
        for ref, findings in resolve(estate, broker, index=index).findings.items():
            yield from ((ref, finding) for finding in findings)
        for ref in index.on_broker(broker):
            if rivals := index.rivals(ref):
                wanted = f"{' and '.join(map(str, rivals))} want the same name in the broker"
                yield (
                    ref,
                    NAME_TAKEN.finding("spec.externalName", f"{wanted}: give each its own externalName"),
                )


def _translated(estate: Estate, driver: Driver | None) -> Iterator[tuple[Ref, Finding]]:
    if driver is None:
        return
    for broker in estate.brokers:
        for ref, compiled in driver.compile(resolve(estate, broker), NEWEST, estate.installation).items():
            yield from ((ref, finding) for finding in compiled.findings)
            told = {finding.field for finding in compiled.findings}
            for note in compiled.notes:
                if note.effect is Effect.REFUSED and note.field in told:
                    continue
                outcome = Outcome.REFUSED if note.effect is Effect.REFUSED else Outcome.WARNING
                yield ref, Finding(outcome, "Unsupported", note.message, note.field)


def _complaint(complaint: Complaint) -> Problem:
    error = complaint.error
    return Problem(complaint.place, complaint.ref, error.path, error.rule, Severity.ERROR, error.message)


def _problem(manifests: Manifests, ref: Ref, finding: Finding, there: Ref | None) -> Problem:
    """What is not among the files may be in the cluster, so that is only said."""
    elsewhere = finding.rule == NOT_OPEN.id and there is not None and there not in manifests.places
    severity = Severity.WARNING if elsewhere else _severity(finding)
    message = finding.message.removeprefix(f"{finding.field}: ")  # which stands in front of it anyhow
    return Problem(manifests.places[ref], ref, finding.field, finding.rule, severity, message)


def _severity(finding: Finding) -> Severity:
    return Severity.WARNING if finding.outcome in (Outcome.WARNING, Outcome.WAITING) else Severity.ERROR


def _target(declared: Declared[Any], finding: Finding) -> Ref | None:
    """What the field that was found wanting refers to."""
    kind = REFERRING.get(finding.field)
    return next((to for to in references(declared) if to.kind == kind), None)


def _all(estate: Estate) -> Mapping[Ref, Declared[Any]]:
    return {**estate.brokers, **estate.topics, **estate.groups, **estate.policies, **estate.queues}
