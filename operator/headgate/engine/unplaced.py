"""The loop for objects that live on no broker: retry policies, dangling references, specs that cannot be read."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from headgate.api import (
    ConsumerGroupStatus,
    DeadLetterQueueStatus,
    EventBrokerStatus,
    EventTopicStatus,
    RetryPolicyStatus,
    dump_status,
)
from headgate.api.common import ApiModel
from headgate.core.estate import Ref
from headgate.core.index import BROKER, GROUP, POLICY
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resolve import unplaced
from headgate.core.retry import worst_case
from headgate.core.status.account import (
    BrokerAccount,
    GroupAccount,
    PolicyAccount,
    QueueAccount,
    TopicAccount,
    Use,
)
from headgate.core.status.broker import broker_status
from headgate.core.status.group import group_status
from headgate.core.status.policy import policy_status
from headgate.core.status.queue import queue_status
from headgate.core.status.topic import topic_status
from headgate.engine.departures import Departures
from headgate.engine.queue import DirtyQueue
from headgate.engine.readers import Placed
from headgate.engine.records import previous
from headgate.engine.shared import Shared
from headgate.engine.world import Entry
from headgate.kube.errors import KubeError

log = logging.getLogger(__name__)

RESYNC = 300.0  # seconds; nothing outside can drift here, so this only mends what was missed

EARLY = 5.0  # seconds until a policy is looked at again whose groups are not known yet


class Unplaced:
    """Reports on objects that no broker's worker looks at."""

    def __init__(
        self,
        shared: Shared,
        placed: Callable[[Ref], Placed | None],
        is_known: Callable[[Ref], bool],
        hand_over: Callable[[Ref], None],
    ) -> None:
        self.queue: DirtyQueue[Ref] = DirtyQueue(shared.monotonic, shared.jitter)
        self.looked = False
        self._shared = shared
        self._placed = placed
        self._is_known = is_known
        self._hand_over = hand_over
        self._departures = Departures(shared, self.queue)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.gather(*(self._one(ref) for ref in self.queue.take()))
            self.looked = True  # also where there is nothing to look at
            await self.queue.wait(RESYNC)

    async def _one(self, ref: Ref) -> None:
        try:
            async with self._shared.gate:
                await self._look(ref)
        except KubeError as error:
            log.warning("%s: %s", ref, error)
            self.queue.retry(ref)
        except Exception:
            log.exception("%s: could not be reported on; it is looked at again", ref)
            self.queue.retry(ref)

    async def _look(self, ref: Ref) -> None:
        """Let go of an object, or report on it: as it is now, and only while it still lives on no broker."""
        world = self._shared.world
        entry = world.entries.get(ref)
        if entry is None:
            return
        if world.broker_of(ref) is not None:
            self._hand_over(ref)
            return
        if self._is_early(entry):
            self.queue.at(ref, EARLY)
            return
        if entry.leaving and not self._is_needed(entry):
            await self._departures.orphan(entry)
        else:
            await self._shared.writer.report(entry, dump_status(self._status(entry)))
        self.queue.settled(ref)

    def _is_needed(self, entry: Entry) -> bool:
        """An EventBroker that cannot be read stays for those that live on it, like any other."""
        return entry.ref.kind == BROKER and bool(self._shared.world.needed_by(entry.ref))

    def _is_early(self, entry: Entry) -> bool:
        """What a policy amounts to is known when its groups are; until then what was reported last stays."""
        if entry.ref.kind != POLICY or entry.deleting_since is not None:
            return False
        reported = entry.status.get("observedGeneration") == entry.generation
        return reported and not all(map(self._is_known, self._shared.world.users(entry.ref)))

    def _status(self, entry: Entry) -> ApiModel:
        if entry.declared is None:
            findings = tuple(
                Finding(Outcome.REFUSED, "SpecInvalid", str(error), error.path, error.rule)
                for error in entry.errors
            )
        else:
            findings = unplaced(self._shared.world.estate, (entry.ref,)).get(entry.ref, ())
        common: dict[str, Any] = {
            "now": self._shared.wall(),
            "generation": entry.generation,
            "findings": findings,
        }
        match entry.ref.kind:
            case "RetryPolicy":
                return self._policy(entry, common)
            case "EventTopic":
                return topic_status(TopicAccount(previous=previous(EventTopicStatus, entry.status), **common))
            case "ConsumerGroup":
                return group_status(
                    GroupAccount(previous=previous(ConsumerGroupStatus, entry.status), **common)
                )
            case "DeadLetterQueue":
                return queue_status(
                    QueueAccount(previous=previous(DeadLetterQueueStatus, entry.status), **common)
                )
            case _:
                refused = findings[0] if findings else None
                return broker_status(
                    BrokerAccount(
                        previous=previous(EventBrokerStatus, entry.status), refused=refused, **common
                    )
                )

    def _policy(self, entry: Entry, common: dict[str, Any]) -> ApiModel:
        users = sorted(ref for ref in self._shared.world.users(entry.ref) if ref.kind == GROUP)
        uses = tuple(Use(f"{ref.namespace}/{ref.name}", self._retry(ref)) for ref in users)
        declared = entry.declared
        return policy_status(
            PolicyAccount(
                previous=previous(RetryPolicyStatus, entry.status),
                uses=uses,
                worst_case=worst_case(declared.spec) if declared is not None else None,
                deadline=declared.spec.deadline if declared is not None else None,
                **common,
            )
        )

    def _retry(self, ref: Ref) -> Any:  # noqa: ANN401  (a Retry, or None where the group does not compile)
        placed = self._placed(ref)
        return placed and placed.compiled.retry
