"""The policies by the names that tables and the command line use. Knows how each is made, not how it decides."""

from collections.abc import Callable, Mapping
from typing import Final

from headgate.sim.ds2 import Ds2
from headgate.sim.fixed import StaticMaximum
from headgate.sim.keda import DEFAULT_THRESHOLD, Keda
from headgate.sim.ours import Ours
from headgate.sim.play import Run, play
from headgate.sim.policy import Policy
from headgate.sim.setting import Scenario

OURS: Final = "headgate"
BEST: Final = "keda-best"
_KEDA: Final = "keda"
_THRESHOLDS: Final = (10.0, 50.0, 150.0, 375.0, 750.0, 1500.0)
_WINDOWS: Final = (None, 900)  # seconds before an HPA goes down; None: its own five minutes
_MOST: Final = 1e9


class UnknownRivalError(ValueError):
    """Nobody goes by that name; says which names there are."""

    reason: Final = "UnknownRival"


def _static(scenario: Scenario) -> Policy:
    partitions = scenario.workers.partitions
    return StaticMaximum(min(scenario.terms.maximum, partitions or scenario.terms.maximum))


_MAKERS: Final[Mapping[str, Callable[[Scenario], Policy]]] = {
    OURS: Ours,
    _KEDA: Keda,
    "ds2": Ds2,
    "max": _static,
}
ABOUT: Final[Mapping[str, str]] = {
    OURS: "what this operator decides",
    _KEDA: f"KEDA at its defaults: a lagThreshold of {DEFAULT_THRESHOLD:g}, behind an HPA",
    f"{_KEDA}:THRESHOLD": "KEDA with that lagThreshold",
    f"{_KEDA}:1/4": "KEDA with the lag that one replica gets done in a quarter of the promise as lagThreshold; so 1/2, 1/1",
    BEST: "the best of twelve settings of KEDA, chosen for this very trace after trying them all",
    "ds2": "the formula of Flink's autoscaler, told the true service rate",
    "max": "maxReplicas all the time",
}


def run(name: str, scenario: Scenario) -> Run:
    """The trace under the policy of that name."""
    if name == BEST:
        return best(scenario)
    return play(scenario, make(name, scenario))


def check(name: str, scenario: Scenario) -> None:
    """UnknownRivalError where nobody goes by that name."""
    if name != BEST:
        make(name, scenario)


def make(name: str, scenario: Scenario) -> Policy:
    """A policy, new. UnknownRivalError: there is none of that name."""
    kind, _, threshold = name.partition(":")
    if kind == _KEDA and threshold:
        return Keda(scenario, _threshold(name, threshold, scenario), name=name)
    if name not in _MAKERS:
        raise UnknownRivalError(f"{name!r} is no policy; there are {', '.join(ABOUT)}")
    return _MAKERS[name](scenario)


def best(scenario: Scenario) -> Run:
    """KEDA as somebody would have set it who knew what was coming: least late, then cheapest."""
    runs = [
        play(scenario, Keda(scenario, threshold, window, BEST))
        for threshold in _THRESHOLDS
        for window in _WINDOWS
    ]
    return min(runs, key=lambda r: (r.figures.violation, r.figures.replica_seconds, r.figures.events))


def _threshold(name: str, text: str, scenario: Scenario) -> float:
    above, _, below = text.partition("/")
    try:
        share = float(above) / float(below) if below else None
        found = float(text) if share is None else share * per_promise(scenario)
    except (ValueError, ZeroDivisionError):
        found = 0.0
    if not 0 < found < _MOST:
        raise UnknownRivalError(
            f"{name!r} has {text!r} for a lagThreshold; expected a number above 0, or a share of the promise such as 1/4"
        )
    return found


def per_promise(scenario: Scenario) -> float:
    """Events that one replica gets done within the promise."""
    return scenario.workers.service_rate * scenario.terms.promise
