"""What is written down before something is made that has no room for a mark, so that it is known for ours after a crash.

Between making an object and writing its status nothing but this says who made it. Knows no broker and no cluster.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from headgate.core.changes import Action, Plan
from headgate.core.claims import Claim, Owner, Record
from headgate.core.resource import Key, Resource

PLEDGE: Final = "headgate.dev/creates"  # annotation of the custom resource


def pledges(claims: Iterable[Claim], made: Plan) -> Mapping[Owner, str]:
    """What has to be written down before a plan is carried out, by whose object is made in it without a mark."""
    bare = {
        (change.owner, change.key)
        for change in made.changes
        if change.action is Action.CREATE and change.after is not None and not change.after.bears_mark
    }
    return {
        claim.owner: _words(claim.desired.key, claim.uid, claim.record)
        for claim in claims
        if (claim.owner, claim.desired.key) in bare
    }


def is_pledged(desired: Resource, uid: str, record: Record, written: str) -> bool:
    """Whether this very custom resource said that it makes the object in the place of what is recorded."""
    return not desired.bears_mark and written == _words(desired.key, uid, record)


def _words(key: Key, uid: str, record: Record) -> str:
    """The uid, because annotations are copied along to other objects; the identity, because each making is another."""
    said = f"{key} for {uid}"
    return f"{said} in place of {record.identity}" if record.identity else said
