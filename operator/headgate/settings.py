"""How one process is to behave: defaults, then HEADGATE_... variables, then the command line. Knows no cluster."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

PREFIX = "HEADGATE_"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: object) -> object:
    return float(value[:-1]) if isinstance(value, str) and value.endswith("s") else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]


class Settings(BaseModel):
    """Settings of a process; each is also the variable HEADGATE_<NAME>, and where it is useful an option."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Path | None = Field(
        None, description="file that names the cluster; left out: as kubectl finds it"
    )
    context: str = Field("", description="context of the kubeconfig; left out: the current one")
    namespaces: Names = Field((), description="namespaces to serve; left out: all of them")
    own_namespace: str = Field(
        "", description="where the Lease lives; left out: the pod's or the kubeconfig's"
    )
    installation: str = Field(
        "", description="name in marks on broker objects; left out: the cluster's own uid"
    )
    lease: bool = Field(True, description="whether to hold a Lease, so that one operator acts at a time")  # noqa: FBT003  (a default)
    lease_name: str = Field("headgate-operator", description="name of the Lease")
    host: str = Field("0.0.0.0", description="address of probes and metrics")  # noqa: S104  (probes come from outside of the pod)
    port: int | None = Field(8080, ge=0, le=65535, description="port of probes and metrics; 0: any free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level that is logged"
    )
    log_form: Literal["auto", "json", "human"] = Field(
        "auto", description="auto: human on a terminal, else json"
    )
    silence: Seconds = Field(
        timedelta(seconds=150),
        description="how long a watch may bring nothing before /livez fails; bookmarks come each minute",
    )
    grace: Seconds = Field(
        timedelta(minutes=2), description="how long Ready keeps its last value while a broker is away"
    )
    deadline: Seconds = Field(
        timedelta(seconds=10), description="how long one request to Kubernetes may take"
    )

    @classmethod
    def load(cls, environment: Mapping[str, str], given: Mapping[str, object]) -> Self:
        """The settings that hold; `given` values of None were not given."""
        values: dict[str, object] = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        values |= {
            name: value for name, value in given.items() if value is not None and name in cls.model_fields
        }
        return cls.model_validate(values)
