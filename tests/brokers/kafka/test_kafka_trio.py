"""Three servers: copies move, and what one of them does not know yet deceives nobody."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.brokers.kafka.worlds import INHERITED, KafkaWorld, changed, deleted

from headgate.brokers.base import Unavailable
from headgate.brokers.kafka.resources import KafkaTopic, topic_key
from headgate.core.resource import Observed
from headgate.local.waiting import until

COPIES: Mapping[str, tuple[int, int]] = {
    "one copy becomes three": (1, 3),
    "three copies become one": (3, 1),
    "two copies become three": (2, 3),
}


async def moved(world: KafkaWorld, found: Observed, after: KafkaTopic) -> Observed:
    """The topic once its copies are where they belong; until then it says that it is not done."""
    result: list[Observed] = []

    async def done() -> bool:
        try:
            answer = await world.broker.apply(changed(found, after))
        except Unavailable as waits:
            assert waits.reason == "MoveInProgress"  # noqa: PT017  (any number of times, also none)
            return False
        assert answer is not None
        result.append(answer)
        return True

    await until("the copies are where they belong", done, limit=60)
    return result[-1]


@pytest.mark.parametrize("sentence", COPIES)
async def test_copies_change(trio: KafkaWorld, sentence: str) -> None:
    """In every partition, and what is in them stays."""
    before, after = COPIES[sentence]
    wanted = KafkaTopic(topic_key(trio.fresh("copies")), partitions=4, replicas=before)
    made = await trio.made(wanted)
    trio.publish(wanted.key.name, 10)
    found = await moved(trio, made, replace(wanted, replicas=after))
    assert isinstance(found.resource, KafkaTopic)
    assert (found.resource.replicas, found.identity) == (after, made.identity)
    assert await trio.read(wanted.key) == found


async def test_facts_count_the_servers(trio: KafkaWorld) -> None:
    """As many copies can be placed."""
    assert (await trio.broker.facts()).nodes == 3


async def test_what_was_just_written_is_never_read_as_it_was_before(trio: KafkaWorld) -> None:
    """Sixty times made, changed and deleted, each time read at once."""

    async def life(number: int) -> None:
        wanted = KafkaTopic(topic_key(trio.fresh(f"stale{number}")), partitions=1, replicas=2)
        made = await trio.made(wanted)
        assert await trio.read(wanted.key) == made
        after = replace(wanted, partitions=2, retention_ms="60000", segment_ms=INHERITED)
        grown = await trio.broker.apply(changed(made, after))
        assert await trio.read(wanted.key) == grown
        await trio.broker.apply(deleted(made))
        assert await trio.read(wanted.key) is None

    for start in range(0, 60, 20):
        await asyncio.gather(*(life(number) for number in range(start, start + 20)))
