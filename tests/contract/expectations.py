"""In what brokers differ, as the subclass of the contract declares it. Each answer is checked, whichever it is. Knows no broker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What is to be seen of a broker. The defaults are those of one that lacks nothing."""

    marks: bool = (
        True  # it has room for its owner's mark; else what exists is told by nothing but its identity
    )
    reader_identity: bool = True  # a reader has one of its own; else it has that of its topic
    one_by_one: bool = True  # an event is settled alone; else all before it are settled with it
    floor: bool = True  # `settled` is the position before the oldest one left; else how many are settled
    in_flight: bool = True  # it says what was handed out; else that counts as pending until it is settled
    repeats: bool = True  # it counts what is handed out, and what again
    checkpoints: bool = True  # a lost reader goes back to a position; else it held its events, and has none
    exact_ages: bool = True  # events that came one after the other have ages of their own
    letters_by_group: bool = True  # it says whose dead letters are and why; else only how many there are
    letters_one_by_one: bool = True  # a dead letter is taken out alone; else all before it go with it
    patience: float = 5.0  # seconds until it has counted
