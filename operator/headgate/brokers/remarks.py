"""What translating for any broker has in common: findings and notes on fields, names, how many copies are safe. Pure."""

from collections.abc import Iterator
from typing import Final

from headgate.api import ApiModel
from headgate.brokers.base import BrokerFacts
from headgate.core.compiled import Effect, Note
from headgate.core.outcomes import Finding, Outcome

SAFE_REPLICAS: Final = 3


def refused(reason: str, field: str, message: str) -> Finding:
    """Something that only an edit can heal."""
    return Finding(Outcome.REFUSED, reason, f"{field}: {message}", field)


def impossible(field: str, message: str) -> tuple[Finding, Note]:
    """A field that has no counterpart: it stops the object, and status.unsupported says so."""
    return refused("UnsupportedByBroker", field, message), Note(field, message, Effect.REFUSED)


def foreign(native: ApiModel | None, own: str) -> Iterator[tuple[Finding, Note]]:
    """Settings of other kinds of brokers, which would be passed over in silence."""
    for block, settings in native or ():
        if block != own and settings is not None:
            yield impossible(f"spec.native.{block}", "the broker is of another kind; take the block away")


def approximated(field: str, message: str) -> Note:
    """A field that is met as nearly as it goes."""
    return Note(field, message, Effect.APPROXIMATED)


def misnamed(name: str, why: str | None) -> Iterator[Finding]:
    """A name that the broker does not take, where there is a reason why not."""
    if why:
        yield refused("NameInvalid", "spec.externalName", f"the name {name} {why}; choose another")


def replicas(declared: int | None, facts: BrokerFacts) -> int:
    """Three where the cluster has room for three."""
    if declared is not None:
        return declared
    return SAFE_REPLICAS if facts.nodes >= SAFE_REPLICAS else 1
