"""What a plan assumes: how often neurons fire, and which rows of stored operands that needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from energy.counts import Tally
from energy.formulas import Conventions
from energy.formulas.touched import any_of
from neurt.closed_form.passes import Pass
from neurt.families import Family, Shape, family_of
from neurt.spiking.config import SpikingConfig


class Assumed(NamedTuple):
    """A transformer layer, and what is assumed of its rows."""

    shape: Shape  #: sizes of the model
    what: Pass  #: the pass
    spiking: SpikingConfig  #: choices of the conversion
    #: spikes per slot everywhere, or of each row by full name; there, a whole number is one of
    #: spikes
    spike_rate: float | Mapping[str, int] | Mapping[str, float]
    conventions: Conventions  #: choices that change a count
    prefix: str  #: full name of the layer, with a dot
    #: share of the entries of a vector that have an event in some time step: everywhere, or of each
    #: row by full name; None, or missing, where it follows from the spike rate
    active_rate: float | Mapping[str, float] | None = None
    #: rows of which somebody knows what they touch, by full name
    touched: Mapping[str, Tally] = MappingProxyType({})

    @property
    def steps(self) -> int:
        """Time steps."""
        return self.spiking.timesteps

    @property
    def tokens(self) -> int:
        """New tokens of the pass."""
        return self.what.batch * self.what.queries

    @property
    def family(self) -> Family:
        """The architecture."""
        return family_of(self.shape.model_type)

    def attention(self, part: str) -> str:
        """Name of a part of attention."""
        return f"{self.family.attention.path}.{part}"

    def spikes(self, name: str, slots: int) -> int:
        """Assumed spikes of a row with so many slots."""
        given = self.spike_rate
        if isinstance(given, Mapping):
            given = given[self.prefix + name]
            if isinstance(given, int):
                return given
        return round(given * slots)

    def rate(self, name: str) -> float | None:
        """Assumed spikes per slot of a row; None where their number is given."""
        given = self.spike_rate
        if isinstance(given, Mapping):
            given = given[self.prefix + name]
            return None if isinstance(given, int) else min(1.0, given)
        return min(1.0, given)

    def active(self, name: str) -> float | None:
        """Assumed share of the entries of a vector of a row that have an event in some step."""
        given = self.active_rate
        if isinstance(given, Mapping):
            given = given.get(self.prefix + name)
        rate = self.rate(name)
        return given if given is not None or rate is None else any_of(rate, self.steps)

    def fetching(self, name: str, tally: Tally, weights: int) -> Tally:
        """A tally of a linear layer with those of its weights that events need."""
        if (active := self.active(name)) is None:
            return self._known(name, tally)
        union = weights * any_of(active, self.tokens)
        each = weights * active * self.tokens
        return self._known(name, tally.seen(round(union), round(each)))

    def touching(self, name: str, tally: Tally, entries: float | None) -> Tally:
        """A tally of a product of attention that needs so many entries of the cache."""
        entries = None if entries is None else round(entries)
        return self._known(name, tally.seen(touched_kv=entries))

    def _known(self, name: str, tally: Tally) -> Tally:
        known = self.touched.get(self.prefix + name)
        return tally if known is None else tally.seen(*known.looked)
