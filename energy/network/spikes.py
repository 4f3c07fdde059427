"""What a tensor of spikes may hold, and what becomes of it in sums and products."""

from __future__ import annotations

from dataclasses import dataclass, replace

from energy.counts import Levels

_LARGEST = {Levels.BURST: 7, Levels.COUNT: 127}


@dataclass(frozen=True, slots=True)
class Spikes:
    """Whole numbers of a unit, from `low` to `high` of them; or signed powers of two."""

    low: int  #: smallest value, in units
    high: int  #: largest value, in units
    unit: float = 1.0  #: the value of one spike; it belongs to the weights behind it
    power: bool = False  #: whether they are 0 and signed powers of two instead

    @classmethod
    def of(cls, levels: Levels, unit: float = 1.0) -> Spikes | None:
        """What a neuron of these levels sends; None for an analog one."""
        if levels is Levels.ANALOG:
            return None
        if levels is Levels.POWER:
            return cls(-1, 1, unit, power=True)
        largest = _LARGEST.get(levels, 1)
        return cls(0 if levels is Levels.BINARY else -largest, largest, unit)

    @property
    def levels(self) -> Levels | None:
        """The narrowest levels that hold them; None if no levels do."""
        if self.power:
            return Levels.POWER
        largest = max(self.high, -self.low)
        if largest <= 1:
            return Levels.BINARY if self.low >= 0 else Levels.TERNARY
        return next((x for x, most in _LARGEST.items() if largest <= most), None)

    @property
    def blank(self) -> bool:
        """Whether there is nothing but zeros: a state before the first step, or a buffer."""
        return not (self.low or self.high)

    def plus(self, other: Spikes, sign: int = 1) -> Spikes | None:
        """The sum (or difference) of two tensors; None if it is none of spikes."""
        if self.blank and sign == 1:
            return other
        if other.blank:
            return self
        if self.power or other.power or self.unit != other.unit:
            return None
        low, high = sorted((sign * other.low, sign * other.high))
        return self._fits(self.low + low, self.high + high)

    def times(self, other: Spikes) -> Spikes | None:
        """The product of two tensors, entry by entry."""
        if self.blank or other.blank:
            return BLANK
        if self.power or other.power:
            return None
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return replace(self, unit=self.unit * other.unit)._fits(min(ends), max(ends))

    def scaled(self, factor: float) -> Spikes | None:
        """The product with a constant."""
        if not factor:
            return BLANK
        return self if self.blank else replace(self, unit=self.unit * factor)

    def shifted(self, by: float) -> Spikes | None:
        """The sum with a constant, such as 1 - x for those that are silent."""
        if not by:
            return self
        units = by / self.unit
        if self.power or units != int(units):
            return None
        return self._fits(self.low + int(units), self.high + int(units))

    def union(self, other: Spikes) -> Spikes | None:
        """What a tensor holds in which some entries are of one kind and some of the other."""
        if self.blank or other.blank:
            return other if self.blank else self
        if self.unit != other.unit or self.power != other.power:
            return None
        return self._fits(min(self.low, other.low), max(self.high, other.high))

    def _fits(self, low: int, high: int) -> Spikes | None:
        found = replace(self, low=low, high=high)
        return found if found.levels is not None else None


#: Zeros: what has them alone may still become anything.
BLANK = Spikes(0, 0)
