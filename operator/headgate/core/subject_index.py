"""Many patterns, and which of them take a subject in common with a given one. Knows no broker."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from headgate.core.subjects import ONE, REST, SEPARATOR

HolderT = TypeVar("HolderT", bound=Hashable)


@dataclass(slots=True)
class _Node(Generic[HolderT]):
    """All patterns that begin with the same tokens."""

    holders: tuple[
        HolderT, ...
    ] = ()  # whose pattern ends here; mostly nobody's or one's, of which many are kept
    after: "dict[str, _Node[HolderT]]" = field(default_factory=dict)

    def everything(self) -> "Iterator[HolderT]":
        yield from self.holders
        for node in self.after.values():
            yield from node.everything()


class SubjectIndex(Generic[HolderT]):
    """Patterns with their holders, found by walking tokens: the cost grows with the answer, not with the content."""

    def __init__(self) -> None:
        self._root: _Node[HolderT] = _Node()

    def add(self, pattern: str, holder: HolderT) -> None:
        """Remember that a holder declares a pattern."""
        node = self._root
        for token in pattern.split(SEPARATOR):
            node = node.after.setdefault(token, _Node())
        if holder not in node.holders:
            node.holders = (*node.holders, holder)

    def remove(self, pattern: str, holder: HolderT) -> None:
        """Forget what was added; nodes without content go with it."""
        path = [self._root]
        tokens = pattern.split(SEPARATOR)
        path.extend(path[-1].after[token] for token in tokens)
        path[-1].holders = tuple(one for one in path[-1].holders if one != holder)
        for parent, token, node in zip(reversed(path[:-1]), reversed(tokens), reversed(path), strict=False):
            if node.holders or node.after:
                return
            del parent.after[token]

    def overlapping(self, pattern: str) -> set[HolderT]:
        """Everybody who declares a pattern that overlaps with this one."""
        found: set[HolderT] = set()
        nodes = [self._root]
        for token in pattern.split(SEPARATOR):
            if token == REST:
                for node in nodes:
                    found.update(holder for child in node.after.values() for holder in child.everything())
                return found
            for node in nodes:
                found.update(node.after[REST].holders if REST in node.after else ())
            nodes = [child for node in nodes for child in _after(node, token)]
        for node in nodes:
            found.update(node.holders)
        return found


def _after(node: _Node[HolderT], token: str) -> Iterator[_Node[HolderT]]:
    """The nodes reached over one token other than the rest wildcard."""
    wanted = (name for name in node.after if name != REST) if token == ONE else (ONE, token)
    return (node.after[name] for name in wanted if name in node.after)
