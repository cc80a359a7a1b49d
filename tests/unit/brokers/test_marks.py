"""Whose mark a change may replace in the broker, at the very moment in which it is made."""

from datetime import UTC, datetime

import pytest

from headgate.brokers.base import Refused
from headgate.brokers.fake import FakeBroker
from headgate.brokers.nats.documents import OWNER
from headgate.brokers.nats.resources import Stream, stream_key
from headgate.core.changes import Action, Change
from headgate.core.claims import Owner
from headgate.core.resource import Observed

KEY = stream_key("orders")
ELDER, YOUNGER, OTHER = (Owner("here", "EventTopic", "shop", name) for name in ("elder", "younger", "other"))


def broker(mark: Owner | None) -> FakeBroker:
    made = FakeBroker(lambda: datetime(2026, 11, 21, tzinfo=UTC))
    made.put(Stream(KEY, subjects=("orders.>",)), {OWNER: str(mark)} if mark else None)
    return made


async def adopted(found: Owner | None, replaces: Owner | None) -> Observed:
    here = broker(found)
    wanted = Stream(KEY, subjects=("orders.>",))
    replaced = str(replaces) if replaces else ""
    result = await here.apply(Change(Action.ADOPT, KEY, YOUNGER, after=wanted, replaces=replaced))
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("found", "replaces"),
    [(None, None), (ELDER, ELDER)],
    ids=["what bears no mark", "what bears the mark that has lapsed"],
)
async def test_taken_over_and_marked_as_found_is(found: Owner | None, replaces: Owner | None) -> None:
    result = await adopted(found, replaces)
    assert (result.mark, result.adopted) == (str(YOUNGER), True)


@pytest.mark.parametrize(
    ("found", "replaces"),
    [(ELDER, None), (OTHER, ELDER)],
    ids=["what was marked since it was read", "what somebody else took over since it was read"],
)
async def test_left_alone_is(found: Owner, replaces: Owner | None) -> None:
    with pytest.raises(Refused) as refusal:
        await adopted(found, replaces)
    assert (refusal.value.reason, str(found) in str(refusal.value)) == ("OwnedByAnother", True)


async def test_putting_back_a_mark_of_ones_own_is_no_adoption() -> None:
    here = broker(YOUNGER)
    wanted = Stream(KEY, subjects=("orders.>",))
    result = await here.apply(Change(Action.ADOPT, KEY, YOUNGER, after=wanted))
    assert result is not None
    assert not result.adopted
