"""What `status.effective` says of fields that were left out: the value that holds today. Knows no broker."""

from collections.abc import Iterator, Mapping
from typing import Final

from headgate.api import ConsumerGroupSpec, EventBrokerSpec, Scaling, format_duration
from headgate.api.common import Managed
from headgate.api.eventbroker import Limits
from headgate.core import defaults
from headgate.core.members import drain_within, idle_after
from headgate.core.retry import DEFAULT_POLICY, waits
from headgate.core.tenancy import OUR_OWN, PROTECTED_BY_DEFAULT

_NO_LIMITS: Final = Limits()


def effective_of(spec: Managed) -> Mapping[str, str]:
    """The defaults of anything that becomes something in a broker, those of the broker aside."""
    return dict(_managed(spec))


def broker_effective(spec: EventBrokerSpec, pressure: defaults.Pressure) -> Mapping[str, str]:
    """The defaults of an EventBroker of a kind that may be pressed that hard."""
    return dict(_broker(spec, pressure))


def _managed(spec: Managed) -> Iterator[tuple[str, str]]:
    if spec.deletion_timeout is None:
        yield "deletionTimeout", format_duration(defaults.DELETION_TIMEOUT)
    if isinstance(spec, ConsumerGroupSpec):
        yield from _retries(spec)
        if spec.scaling is not None:
            yield from _scaling(spec, spec.scaling)


def _retries(spec: ConsumerGroupSpec) -> Iterator[tuple[str, str]]:
    if spec.retry_policy_ref is not None:
        return
    yield "retryPolicy.attempts", str(DEFAULT_POLICY.attempts)
    yield "retryPolicy.handlingTimeout", format_duration(DEFAULT_POLICY.handling_timeout)
    yield "retryPolicy.waits", ",".join(map(format_duration, waits(DEFAULT_POLICY)))


def _scaling(spec: ConsumerGroupSpec, scaling: Scaling) -> Iterator[tuple[str, str]]:
    if scaling.drain_within is None:
        yield "scaling.drainWithin", format_duration(drain_within(spec, scaling))
    if scaling.idle_after is None:
        yield "scaling.idleAfter", format_duration(idle_after(scaling))


def _broker(spec: EventBrokerSpec, pressure: defaults.Pressure) -> Iterator[tuple[str, str]]:
    """Some are told also where they are declared: what is added to them is not."""
    limits = spec.limits or _NO_LIMITS
    protected = spec.tenancy and spec.tenancy.protected_names
    if limits.requests_per_second is None:
        yield "limits.requestsPerSecond", str(pressure.requests_per_second)
    if limits.progress_per_second is None:
        yield "limits.progressPerSecond", str(pressure.progress_per_second)
    if limits.max_in_flight is None:
        yield "limits.maxInFlight", str(pressure.max_in_flight)
    if limits.timeout is None:
        yield "limits.timeout", format_duration(pressure.timeout)
    yield "resyncInterval", format_duration(spec.resync_interval or defaults.RESYNC)
    yield "tenancy.protectedNames", ",".join((*(protected or PROTECTED_BY_DEFAULT), *OUR_OWN))
