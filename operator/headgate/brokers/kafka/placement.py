"""Which brokers keep a partition when the number of copies changes. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping


def placed(
    partitions: Mapping[int, tuple[int, ...]], brokers: Collection[int], copies: int
) -> Mapping[int, tuple[int, ...]]:
    """Partitions that have to move, with their new brokers, the preferred leader first.

    Copies stay where they are as far as they may; new ones go to the brokers that keep fewest, so that nothing is copied
    that need not be.
    """
    load = Counter(dict.fromkeys(brokers, 0))
    load.update(broker for held in partitions.values() for broker in held)
    moved: dict[int, tuple[int, ...]] = {}
    for number, held in sorted(partitions.items()):
        kept = [broker for broker in held if broker in brokers][:copies]
        while len(kept) < copies and (free := [broker for broker in brokers if broker not in kept]):
            chosen = min(free, key=lambda broker: (load[broker], broker))
            load[chosen] += 1
            kept.append(chosen)
        if tuple(kept) != held:
            moved[number] = tuple(kept)
    return moved
