"""Where a lost reader continues: at the newest position that anybody saw, and never at one in other data."""

import pytest
from tests.unit.core.declare import BILLING, MAIN, ORDERS, START, declare, estate

from headgate.brokers.fake import FakeBroker, FakeDriver
from headgate.core.claims import Record
from headgate.core.index import Index
from headgate.core.progress import Position
from headgate.core.resolve import resolve
from headgate.engine.intents import Situation, intent_of


@pytest.mark.parametrize(
    ("recorded", "seen", "continues"),
    [
        pytest.param(("40", "a"), None, "40", id="only status knows one"),
        pytest.param(("40", "a"), Position("70", "a"), "70", id="a newer one was seen"),
        pytest.param(("", ""), Position("70", "a"), "70", id="one was seen before status said any"),
        pytest.param(("40", "a"), Position("70", "b"), "40", id="what was seen lies in other data"),
        pytest.param(("40", "b"), None, "", id="what status knows lies in other data"),
        pytest.param(("40", "b"), Position("70", "a"), "70", id="only what was seen lies in the data that is there"),
        pytest.param(("40", "a"), Position("", "a"), "40", id="the broker tells no positions"),
    ],
)  # fmt: skip
async def test_a_lost_reader_continues_where(
    recorded: tuple[str, str], seen: Position | None, continues: str
) -> None:
    topic = declare(ORDERS, record=Record(identity="a"))
    group = declare(BILLING, record=Record(checkpoint=recorded[0], checkpoint_in=recorded[1]))
    declared = estate(topic, group)
    topology = resolve(declared, MAIN)
    driver = FakeDriver(FakeBroker(lambda: START))
    compiled = driver.compile(topology, await driver.broker.facts(), declared.installation)
    situation = Situation(declared, Index.of(declared), topology, driver, compiled, position=lambda _: seen)
    (claim,) = intent_of(group, situation).claims
    assert claim.record.checkpoint == continues
