"""Rules that one object can prove about itself: CEL for the API server, a predicate for Python. Knows no kind.

Ids below HG100 belong to rules that are CEL in a CRD; rules that need two objects or a power start at HG100 in core.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

DURATION_PATTERN: Final = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
SIZE_PATTERN: Final = "^([0-9]{1,19}|[0-9]{1,15}([.][0-9]{1,3})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P))$"
DECIMAL_PATTERN: Final = "^[0-9]{1,9}([.][0-9]{1,9})?$"

DURATION_HELP: Final = "write a duration with the units h, m, s and ms, e.g. 90s, 5m or 168h (7 days)"
SIZE_HELP: Final = (
    "write a size in bytes or with one of Ki, Mi, Gi, Ti, Pi, k, M, G, T, P, e.g. 512Ki, 1Mi or 50Gi"
)
DECIMAL_HELP: Final = 'write a number in quotes with digits and at most one point, e.g. "50" or "0.5"'


class Reason(StrEnum):
    """How the API server classifies a broken rule."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over one object: what CEL says to the API server, `holds` says to Python."""

    id: str
    cel: str
    message: str
    field: str = ""  # JSON path of the culprit below the object that carries the rule, e.g. ".backoff.max"
    reason: Reason = Reason.INVALID
    holds: Callable[[Any], bool] | None = None  # None: compares with the old object, or core computes it


RETRY_FITS_DEADLINE: Final = "HG001"
DURATION_TEXT: Final = "HG002"
SIZE_TEXT: Final = "HG003"
DECIMAL_TEXT: Final = "HG004"
NAME_TEXT: Final = "HG005"
BROKER_ONE_OF: Final = "HG010"
BROKER_FIXED: Final = "HG011"
IMMUTABLE: Final = "HG012"
NAMESPACES_SHAPE: Final = "HG013"
NAMING_TEMPLATE: Final = "HG014"
SERVER_ADDRESS: Final = "HG015"
TOKENS_FOR_BEARERS: Final = "HG016"
RETENTION_BOUNDED: Final = "HG020"
DEDUPLICATION_COVERS_RETRY: Final = "HG021"
KEY_BUCKETS_SHAPE: Final = "HG022"
SUBJECT_TEXT: Final = "HG023"
PARTITIONS_GROW: Final = "HG024"
IN_SYNC_WITHIN_REPLICAS: Final = "HG025"
OUTAGE_WITHIN_RETENTION: Final = "HG026"
NAME_TOO_LONG: Final = "HG027"
START_TIME: Final = "HG030"
SCALING_BOUNDS: Final = "HG031"
CONCURRENCY_FEEDS_MINIMUM: Final = "HG032"
SETTLED_AFTER_FIRST_ATTEMPT: Final = "HG033"
TOTAL_ORDER_ONE_REPLICA: Final = "HG034"
SCHEDULE_TEXT: Final = "HG035"
BACKLOG_BOUNDED: Final = "HG036"
BACKOFF_BOUNDS: Final = "HG040"
BACKOFF_FACTOR: Final = "HG041"
DROP_ACKNOWLEDGED: Final = "HG042"
TRIAGE_WITHIN_RETENTION: Final = "HG050"
NATIVE_COMBINATION: Final = "HG060"
NATIVE_RESERVED: Final = "HG061"


def is_duration(path: str) -> str:
    """CEL: the text there is a duration, so that comparing it cannot fail and report a second error."""
    return f"{path}.matches('{DURATION_PATTERN}')"


def is_size(path: str) -> str:
    """CEL: the text there is a size."""
    return f"{path}.matches('{SIZE_PATTERN}')"


def is_decimal(path: str) -> str:
    """CEL: the text there is a decimal number."""
    return f"{path}.matches('{DECIMAL_PATTERN}')"


def immutable(field: str, why: str = "") -> Rule:
    """The field keeps the value, or the absence, that it was created with."""
    new, old = f"self.{field}", f"oldSelf.{field}"
    return Rule(
        IMMUTABLE,
        f"{_there(new)} == {_there(old)} && (!{_there(new)} || {new} == {old})",
        f"{field} cannot be changed, set later or taken away; {why or 'create a new object instead'}",
        f".{field.split('.', maxsplit=1)[0]}",
        Reason.FORBIDDEN,
    )


def _there(path: str) -> str:
    parts = path.split(".")
    steps = [".".join(parts[:n]) for n in range(2, len(parts) + 1)]
    return "(" + " && ".join(f"has({step})" for step in steps) + ")"


def broken(rules: Iterable[Rule], value: object) -> Iterable[Rule]:
    """The rules that Python can check and that do not hold."""
    return (rule for rule in rules if rule.holds is not None and not rule.holds(value))
