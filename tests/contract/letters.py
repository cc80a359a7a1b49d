"""The part of the contract about what dead-letter objects hold. Knows no broker."""

from tests.contract.terms import World, applied, created
from tests.contract.words import Words

from headgate.core.progress import DeadLetters, Holding
from headgate.core.resource import Key
from headgate.local.waiting import until


class LettersContract(Words):
    """Whatever holds dead letters."""

    async def test_queues_that_are_not_there_are_left_out(self, world: World) -> None:
        """Nothing is invented."""
        assert await world.broker.dead_letters([self.queue(world.fresh("nothing")).key]) == {}

    async def test_dead_letters_are_counted(self, world: World) -> None:
        """By group and reason where the broker can tell; what was taken out is not counted."""
        queue = await applied(world, created(self.queue(world.fresh("dead"))))
        key = queue.resource.key
        assert (await self._held(world, key)) == ()
        await self._bury(world, key.name, 1, "shop/billing", "MaxAttempts")
        await self._bury(world, key.name, 2, "shop/billing", "Rejected")
        last = await self._bury(world, key.name, 3, "shop/mail", "MaxAttempts")
        await self._come_to(world, key, [("shop/billing", 2), ("shop/mail", 1)])
        if self.expects.letters_by_group:
            await self._are_told_apart(world, key)
        await world.take_out(key, last)
        left = [("shop/billing", 2)] if self.expects.letters_one_by_one else []
        await self._come_to(world, key, left)
        await self._bury(world, key.name, 4, "shop/mail", "MaxAttempts")
        await self._come_to(world, key, [*left, ("shop/mail", 1)])

    async def test_a_dead_letter_that_was_resolved_counts_no_more(self, world: World) -> None:
        """Those beside it do."""
        queue = await applied(world, created(self.queue(world.fresh("dead"))))
        key = queue.resource.key
        await self._bury(world, key.name, 1, "shop/billing", "MaxAttempts")
        await self._bury(world, key.name, 2, "shop/billing", "Rejected")
        await self._come_to(world, key, [("shop/billing", 2)])
        await self.resolve(world, key.name, 1)
        await self._come_to(world, key, [("shop/billing", 1)])
        await self._come_to(world, key, [("shop/billing", 1)])

    async def _are_told_apart(self, world: World, key: Key) -> None:
        billing, mail = await self._held(world, key)
        assert (billing.group, billing.depth) == ("shop/billing", 2)
        assert billing.reasons == (("MaxAttempts", 1), ("Rejected", 1))
        assert (mail.group, mail.depth, mail.reasons) == ("shop/mail", 1, (("MaxAttempts", 1),))
        assert billing.oldest is not None
        assert mail.oldest is not None
        assert billing.oldest <= mail.oldest
        assert (billing.oldest < mail.oldest) or not self.expects.exact_ages

    async def _come_to(self, world: World, key: Key, depths: list[tuple[str, int]]) -> None:
        """Copies take a moment to tell each other, and any of them may be asked."""
        found: list[tuple[str, int]] = []
        whole = [("", sum(depth for _, depth in depths))] if depths else []
        wanted = depths if self.expects.letters_by_group else whole

        async def counted() -> bool:
            found[:] = [(each.group, each.depth) for each in await self._held(world, key)]
            return found == wanted

        await until(f"{key} comes to {wanted}", counted, limit=2 * self.expects.patience)

    async def _held(self, world: World, key: Key) -> tuple[DeadLetters, ...]:
        found = (await world.broker.dead_letters([key]))[key]
        assert isinstance(found, Holding)
        return found.groups

    async def _bury(self, world: World, queue: str, number: int, group: str, reason: str) -> int:
        headers = {"headgate-group": group, "headgate-reason": reason}
        return await self.bury(world, queue, number, headers)
