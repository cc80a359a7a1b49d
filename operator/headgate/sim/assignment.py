"""Which member reads which partition, moving as few as possible. Knows no time and no events."""

from collections.abc import Mapping, Sequence

Owned = Mapping[int, tuple[int, ...]]


def assign(owned: Owned, members: Sequence[int], partitions: int) -> dict[int, tuple[int, ...]]:
    """Every partition to one of the members, evenly; whoever has some keeps as many as fit."""
    if not members:
        return {}
    least, extra = divmod(partitions, len(members))
    by_load = sorted(members, key=lambda member: -len(owned.get(member, ())))
    room = {member: least + (rank < extra) for rank, member in enumerate(by_load)}
    kept = {member: owned.get(member, ())[: room[member]] for member in members}
    taken = {partition for some in kept.values() for partition in some}
    free = iter([partition for partition in range(partitions) if partition not in taken])
    return {
        member: (*kept[member], *(next(free) for _ in range(room[member] - len(kept[member]))))
        for member in members
    }


def moved(before: Owned, after: Owned) -> set[int]:
    """The partitions that have another owner than before."""
    owners = {partition: member for member, some in before.items() for partition in some}
    return {
        partition for member, some in after.items() for partition in some if owners.get(partition) != member
    }
