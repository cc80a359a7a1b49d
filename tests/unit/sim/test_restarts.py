"""An operator that is restarted in the middle of a trace goes on as if nothing had been."""

import pytest

from headgate.sim.ours import Ours
from headgate.sim.play import play
from headgate.sim.setting import Scenario
from headgate.sim.traces import TRACES

pytestmark = pytest.mark.unwatched  # tables reach every branch; watched, hours of a trace take twice as long
MIDDLE = 1800
DELICATE = {  # moments in which much is remembered that status does not keep
    "spike": 3050,
    "diurnal": 900,
    "sawtooth": 1900,
    "poison": 5000,
    "downstream_cap": 3650,
    "batch_idle": 2650,
}


@pytest.mark.parametrize(("name", "second"), [*((name, MIDDLE) for name in TRACES), *DELICATE.items()])
def test_a_restart_changes_at_most_one_event(name: str, second: int) -> None:
    found = Scenario(TRACES[name])
    calm, restarted = (play(found, Ours(found, at)).figures for at in (None, second))
    assert abs(restarted.events - calm.events) <= 1
    assert restarted.violation <= 1.03 * calm.violation + 10
    assert restarted.replica_hours <= calm.replica_hours + 1
