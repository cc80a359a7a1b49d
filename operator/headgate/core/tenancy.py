"""What the owner of an object lets other namespaces do with it. Knows no broker and asks no cluster."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from headgate.api import AllowedNamespaces, DeletionPolicy, EventBrokerSpec, NamespacesFrom
from headgate.core.estate import Declared, Estate, Ref
from headgate.core.outcomes import Finding
from headgate.core.rules_of_reference import DELETION, NAMING, NATIVE, NOT_TOLD, PREFIX, PROTECTED

PROTECTED_BY_DEFAULT: Final = ("KV_*", "OBJ_*", "$*", "__*", "_schemas", "amq.*")
OUR_OWN: Final = ("headgate_*",)  # objects that hold what Headgate itself needs; no list can open them
DEFAULT_TEMPLATE: Final = "{name}"
BY_LABEL: Final = (NamespacesFrom.SELECTOR, NamespacesFrom.ALL)  # what takes a sight of all namespaces

Labels = Mapping[str, Mapping[str, str]]  # of namespaces, by name; empty where they may not be read


def permits(allowed: AllowedNamespaces | None, home: str, namespace: str, labels: Labels) -> bool:
    """Whether a namespace belongs to a set that an object in namespace `home` declares; that one always does."""
    if namespace == home:
        return True
    if allowed is None or (allowed.from_ in BY_LABEL and not labels):
        return False
    match allowed.from_:
        case NamespacesFrom.NAMES:
            return namespace in (allowed.names or ())
        case NamespacesFrom.SELECTOR:
            wanted = allowed.selector.match_labels if allowed.selector else {}
            return bool(wanted) and wanted.items() <= labels.get(namespace, {}).items()
        case from_:
            return from_ is NamespacesFrom.ALL


def not_told(allowed: AllowedNamespaces | None, labels: Labels, field: str) -> Iterator[Finding]:
    """What is said where only an operator that sees the whole cluster can tell which namespaces are meant."""
    if allowed and allowed.from_ in BY_LABEL and not labels:
        yield NOT_TOLD.finding(
            f"{field}.from",
            f"from: {allowed.from_} needs an operator that sees the whole cluster, and this one sees single namespaces: "
            "write from: Names and list them",
        )


def may_adopt(estate: Estate, broker: Declared[EventBrokerSpec], namespace: str) -> bool:
    """Whether objects of a namespace may take over what exists in the broker already."""
    tenancy = broker.spec.tenancy
    return permits(tenancy.adoption if tenancy else None, broker.ref.namespace, namespace, estate.namespaces)


def may_delete(estate: Estate, broker: Declared[EventBrokerSpec], namespace: str) -> bool:
    """Whether a deletionPolicy other than Retain is honoured for objects of a namespace."""
    tenancy = broker.spec.tenancy
    return permits(tenancy.deletion if tenancy else None, broker.ref.namespace, namespace, estate.namespaces)


def template_of(broker: EventBrokerSpec) -> str:
    """How objects of a broker are called that do not say."""
    naming = broker.tenancy and broker.tenancy.naming
    return naming.template if naming else DEFAULT_TEMPLATE


def rendered(template: str, ref: Ref) -> str:
    """The text that a template gives for an object."""
    return template.replace("{namespace}", ref.namespace).replace("{name}", ref.name)


def native_settings(native: BaseModel | None) -> Iterator[tuple[str, str]]:
    """The settings of single kinds of brokers that were written, as users spell them, with the block they stand in."""
    for block, settings in native or ():
        written = settings.model_dump(by_alias=True, exclude_unset=True) if settings else ()
        yield from ((block, setting) for setting in sorted(written))


def violations(
    estate: Estate,
    broker: Declared[EventBrokerSpec],
    declared: Declared[Any],
    name: str,
    subjects: tuple[str, ...] = (),
) -> Iterator[Finding]:
    """What an object may not declare on a broker: its name, its subjects, its deletion, settings of that very broker."""
    ref, spec = declared.ref, declared.spec
    yield from _name(broker.spec, ref, name)
    yield from _subjects(broker.spec, ref, subjects)
    if spec.deletion_policy is not DeletionPolicy.RETAIN and not may_delete(estate, broker, ref.namespace):
        yield DELETION.finding(
            "spec.deletionPolicy",
            f"namespace {ref.namespace} may not delete on this broker: declare deletionPolicy Retain, or have the "
            "EventBroker's tenancy.deletion allow the namespace",
        )
    if ref.namespace != broker.ref.namespace:
        yield from _native(broker.spec, getattr(spec, "native", None))


def _name(broker: EventBrokerSpec, ref: Ref, name: str) -> Iterator[Finding]:
    tenancy = broker.tenancy
    declared = (
        PROTECTED_BY_DEFAULT
        if tenancy is None or tenancy.protected_names is None
        else tenancy.protected_names
    )
    for pattern in (*OUR_OWN, *declared):
        if _glob(pattern).fullmatch(name):
            yield PROTECTED.finding(
                "spec.externalName", f"the name {name} is protected by {pattern}: choose another externalName"
            )
            break
    wanted = rendered(template_of(broker), ref)
    if tenancy and tenancy.naming and tenancy.naming.enforce and name != wanted:
        yield NAMING.finding(
            "spec.externalName", f"the broker's naming gives {wanted}, not {name}: leave externalName out"
        )


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    """The pattern with * for any text."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


def _subjects(broker: EventBrokerSpec, ref: Ref, subjects: tuple[str, ...]) -> Iterator[Finding]:
    prefixes = broker.tenancy.subject_prefixes if broker.tenancy else None
    allowed = tuple(rendered(prefix, ref) for prefix in prefixes or ("",))
    for position, subject in enumerate(subjects):
        if not subject.startswith(allowed):
            yield PREFIX.finding(
                f"spec.subjects[{position}]",
                f"{subject} is not open to namespace {ref.namespace}: begin subjects with {' or '.join(allowed)}",
            )


def _native(broker: EventBrokerSpec, native: BaseModel | None) -> Iterator[Finding]:
    opened = broker.tenancy and broker.tenancy.native_allowed
    for block, setting in native_settings(native):
        if setting not in (getattr(opened, block, None) or ()):
            yield NATIVE.finding(
                f"spec.native.{block}.{setting}",
                "other namespaces may not set this on the broker: leave it out, or have the EventBroker's "
                "tenancy.nativeAllowed list it",
            )
