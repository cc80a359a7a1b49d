"""The workload behind a group: its bounds, its times and what it can do. Knows no kind and no broker."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from headgate.api.common import ApiModel, Name, Word
from headgate.api.rules import SCALING_BOUNDS, SCHEDULE_TEXT, Reason, Rule
from headgate.api.types import DecimalString, DecimalText, Duration, DurationText, Int, ListOf, Text

Replicas = Annotated[Int, Field(ge=0, le=10_000)]
CRON = Text(
    "^[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}$",
    "must be five fields with one space between them: minute, hour, day of the month, month, day of the week, e.g. "
    "0 8 * * 1-5",
    SCHEDULE_TEXT,
    100,
)
TIME_ZONE = Text(
    "^[A-Za-z][0-9A-Za-z_+/-]*$",
    "must be a name of the IANA time zone database, e.g. Europe/Berlin or UTC",
    SCHEDULE_TEXT,
    64,
)


class ScalingMode(StrEnum):
    """What scaling does with its decisions."""

    ENFORCE = "Enforce"
    RECOMMEND = "Recommend"
    DISABLED = "Disabled"


class TargetRef(ApiModel):
    """A workload of this namespace with a scale subresource."""

    atomic: ClassVar[bool] = True

    api_version: Word = Field(description="API group and version, e.g. apps/v1. 1 to 253 characters.")
    kind: Word = Field(description="Kind, e.g. Deployment. 1 to 253 characters.")
    name: Name = Field(description="Name. 1 to 253 characters.")


class Capacity(ApiModel):
    """What one replica can handle."""

    events_per_second_per_replica: Annotated[DecimalString, DecimalText("0.001")] = Field(
        description='Events per second, a number in quotes, at least "0.001".'
    )


class OnMetricsLoss(ApiModel):
    """What happens while nobody can say how late events are."""

    floor: Annotated[Int, Field(ge=0, le=10_000)] = Field(
        description="At least so many replicas, never fewer than there are. 0 to 10000."
    )


class OnRelease(ApiModel):
    """What is left behind when scaling ends."""

    replicas: Annotated[Int, Field(ge=0, le=10_000)] = Field(
        description="Replicas when scaling ends on zero. 0 to 10000."
    )


class Window(ApiModel):
    """A time that comes again, and the replicas that it takes."""

    cron: Annotated[str, Field(min_length=9, max_length=100), CRON] = Field(
        description="When it begins: minute, hour, day of the month, month and day of the week, e.g. 0 8 * * 1-5. "
        "9 to 100 characters."
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64), TIME_ZONE] = Field(
        default="UTC",
        description="Where the clock hangs that cron means, by its name in the IANA time zone database, e.g. "
        "Europe/Berlin. 1 to 64 characters. Left out: UTC.",
    )
    duration: Annotated[Duration, DurationText("1m", "168h")] = Field(
        description="How long it lasts, in time that passes. From 1m to 168h."
    )
    min_replicas: Annotated[Int, Field(ge=1, le=10_000)] = Field(
        description="Never fewer while it lasts, whatever minReplicas says. 1 to 10000."
    )


class Scaling(ApiModel):
    """The workload that handles the events and how it is scaled."""

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            SCALING_BOUNDS,
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must be at most maxReplicas",
            ".minReplicas",
            Reason.INVALID,
            lambda self: self.min_replicas <= self.max_replicas,
        ),
        Rule(
            SCALING_BOUNDS,
            "!has(self.onMetricsLoss) || self.onMetricsLoss.floor <= self.maxReplicas",
            "onMetricsLoss.floor must be at most maxReplicas",
            ".onMetricsLoss.floor",
            Reason.INVALID,
            lambda self: self.on_metrics_loss is None or self.on_metrics_loss.floor <= self.max_replicas,
        ),
        Rule(
            SCALING_BOUNDS,
            "!has(self.schedule) || self.schedule.all(window, window.minReplicas <= self.maxReplicas)",
            "schedule[].minReplicas must be at most maxReplicas",
            ".schedule",
            Reason.INVALID,
            lambda self: all(window.min_replicas <= self.max_replicas for window in self.schedule or ()),
        ),
    )

    target_ref: TargetRef = Field(
        description="The workload: anything of this namespace with a scale subresource."
    )
    mode: ScalingMode = Field(
        default=ScalingMode.ENFORCE,
        description="Enforce: scale. Recommend: say in status.scaling what would be done. Disabled: do not decide. "
        "Left out: Enforce.",
    )
    min_replicas: Replicas = Field(default=1, description="Never fewer. 0 to 10000. Left out: 1.")
    max_replicas: Annotated[Int, Field(ge=1, le=10_000)] = Field(description="Never more. 1 to 10000.")
    drain_within: Annotated[Duration, DurationText("1s")] | None = Field(
        default=None,
        description="In what time a backlog should be worked off. At least 1s. Left out: freshness.maxAge.",
    )
    idle_after: Annotated[Duration, DurationText()] | None = Field(
        default=None,
        description="How long the group must have had nothing to do before going to zero. Left out: 5m today.",
    )
    capacity: Capacity | None = Field(
        default=None, description="What one replica can handle. Left out: learned."
    )
    on_metrics_loss: OnMetricsLoss | None = Field(
        default=None,
        description="What happens while nobody can say how late events are. Left out: replicas stay as they are.",
    )
    schedule: Annotated[tuple[Window, ...], ListOf()] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Times in which there are never fewer replicas than they say; of several at once the largest "
        "number counts. 1 to 16. Left out: none.",
    )
    on_release: OnRelease | None = Field(
        default=None,
        description="Replicas to leave behind on Disabled, suspend and deletion when there would be none. "
        "Left out: as many as there are.",
    )
