"""What a rule is: a stable id, what breaking it means, and how it is checked. Knows no kind and no broker."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from headgate.core.outcomes import Finding, Outcome

SubjectT = TypeVar("SubjectT")


class Severity(StrEnum):
    """How much a broken rule matters to somebody who is about to apply a file."""

    ERROR = "Error"  # refused
    WARNING = "Warning"  # accepted, and worth saying; or it depends on what is applied later


class Broken(NamedTuple):
    """A field that breaks a rule, and a sentence that says how and what to do."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Rule(Generic[SubjectT]):
    """One rule. Without a function it is checked elsewhere: by the models, or while references are resolved."""

    id: str
    outcome: Outcome
    reason: str
    title: str
    explanation: str
    function: Callable[[SubjectT], Iterable[Broken]] | None = None

    @property
    def severity(self) -> Severity:
        """Error where the object is refused, else a warning."""
        return Severity.ERROR if self.outcome in (Outcome.REFUSED, Outcome.CONFLICT) else Severity.WARNING

    def finding(self, field: str, message: str, reason: str = "") -> Finding:
        """The rule broken by a field."""
        return Finding(self.outcome, reason or self.reason, message, field, self.id)

    def check(self, subject: SubjectT) -> Iterator[Finding]:
        """All that breaks the rule."""
        for field, message in self.function(subject) if self.function else ():
            yield self.finding(field, message)
