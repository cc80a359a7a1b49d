"""Numbers that look random and are the same in every run. Knows nothing of what they are for."""

from typing import Final

_MULTIPLIER: Final = 6364136223846793005  # a full period modulo 2**64, by Knuth
_INCREMENT: Final = 1442695040888963407
_MASK: Final = 2**64 - 1
_UNIT: Final = 2.0**-53


class Noise:
    """A linear congruential generator."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = (seed * _MULTIPLIER + _INCREMENT) & _MASK
        self.unit()  # neighbouring seeds begin alike

    def unit(self) -> float:
        """The next number, from 0 up to and without 1."""
        self._state = (self._state * _MULTIPLIER + _INCREMENT) & _MASK
        return (self._state >> 11) * _UNIT

    def below(self, limit: int) -> int:
        """The next whole number from 0 up to and without the limit."""
        return int(self.unit() * limit)
