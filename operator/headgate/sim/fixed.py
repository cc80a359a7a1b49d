"""As many replicas as allowed, always: what keeping the promise costs without any policy. Knows no arrivals."""

from dataclasses import dataclass

from headgate.sim.policy import Look


@dataclass(frozen=True, slots=True)
class StaticMaximum:
    """The most replicas, whatever happens."""

    maximum: int
    name: str = "max"
    period: int = 3600

    def replicas(self, look: Look) -> int:
        """The most replicas."""
        del look
        return self.maximum
