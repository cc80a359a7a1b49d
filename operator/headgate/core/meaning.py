"""What a word of conditions, plans and errors means to a person. Knows no word."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """One sentence on what it means, one on what to do."""

    what: str
    todo: str
