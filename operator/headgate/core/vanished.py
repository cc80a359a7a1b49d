"""Whether a whole estate is gone from behind its address, rather than single objects. Knows no broker."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Key, Observed, Unread

FEW: Final = 3  # so many may always be gone, one by one
SHARE: Final = 10  # beyond that, one in so many

_SWAPPED: Final = ("AnotherCluster", "another cluster answers at this address than the one that was known")
_GONE: Final = ("ManyVanished", "more objects than an accident takes vanished from the broker at once")


@dataclass(frozen=True, slots=True)
class Vanished:
    """An estate that is gone: why, which objects, and the word with which a person acknowledges it."""

    reason: str
    message: str
    token: str
    gone: frozenset[Key] = frozenset()  # recorded, and not there any more or replaced
    acknowledged: bool = False  # everything in `gone` counts as acknowledged too

    @property
    def finding(self) -> Finding:
        """The same as a finding on every object of the estate."""
        return Finding(Outcome.LOST, self.reason, self.message)


@dataclass(frozen=True, slots=True)
class Word:
    """What people said: the token that status asked for, and the one that they wrote."""

    asked: str = (
        ""  # status.lost.externalId of the EventBroker; forgotten: a new one is made of what is gone now
    )
    given: str = ""  # annotation headgate.dev/acknowledge of the EventBroker
    waiting: Collection[
        Key
    ] = ()  # what was not well when last looked at: of it alone an earlier word may speak


def estate_vanished(
    recorded: Mapping[Key, str],
    observed: Mapping[Key, Observed | Unread],
    *,
    known_cluster: str,
    cluster: str,
    word: Word,
    mourned: Collection[Key] = (),
) -> Vanished | None:
    """What is to be held back because more than a few of the recorded objects are gone in one pass.

    `recorded` are the identities of everything that status remembers of this broker, `mourned` what was reported as
    DataLost before and so did not vanish now. Another cluster behind the same address counts however little is gone;
    an empty one is given its identity only after it was acknowledged, so the word on the empty one holds meanwhile.
    An acknowledged loss stays the answer while anything of it waits to be made good, so that an operator that is
    interrupted half-way need not ask again. What was well again in between is another loss: the old word, which stands
    there until somebody removes it, does not speak for that.
    """
    gone = frozenset(
        key for key, identity in recorded.items() if key not in mourned and _gone(observed.get(key), identity)
    )
    answered = word.asked != "" and word.asked == word.given
    if known_cluster not in ("", cluster):
        empty = _token(known_cluster, "")
        token = empty if answered and word.given == empty else _token(known_cluster, cluster)
        return _vanished(_SWAPPED, token, gone, word)
    few = max(FEW, len(recorded) // SHARE)
    covered = gone.intersection(word.waiting)
    stale = answered and len(gone - covered) > few
    if answered and not stale:
        return _vanished(_GONE, word.asked, covered, word) if covered else None
    if len(gone) <= few:
        return None
    if word.asked and not stale:
        return _vanished(_GONE, word.asked, gone, word)
    earlier = (word.asked,) if stale else ()
    lost = (f"{key} {recorded[key]}" for key in sorted(gone))
    return _vanished(_GONE, _token(cluster, *earlier, *lost), gone, word)


def is_strange(known_cluster: str, cluster: str, given: str) -> bool:
    """Whether another cluster answers than the known one, and nobody said of this very one that it is right."""
    return known_cluster not in ("", cluster) and given != _token(known_cluster, cluster)


def _gone(found: Observed | Unread | None, identity: str) -> bool:
    """Whether the very object is not there any more; of what could not be read nobody knows that."""
    return bool(identity) and not isinstance(found, Unread) and (found is None or found.identity != identity)


def _token(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _vanished(said: tuple[str, str], token: str, gone: frozenset[Key], word: Word) -> Vanished:
    reason, text = said
    message = f'{text}; nothing is changed there until the EventBroker is annotated with headgate.dev/acknowledge: "{token}"'
    return Vanished(reason, message, token, gone, acknowledged=word.given == token)
