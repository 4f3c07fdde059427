"""What a map is of: a model, its conversion and its activity, in each of many passes. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from energy import Counts
from energy.bill.layer import COMPUTE
from energy.bill.stack import STATIC, Stack
from energy.counts import About
from energy.formulas import Conventions
from energy.formulas.touched import any_of
from hwmodels import Dataflow, HardwareProfile, Op
from hwmodels.errors import UserError
from neurt.closed_form.passes import Pass
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.closed_form.plan_zones import plan_zones
from neurt.families import Shape
from neurt.measure.alike import RowBits, repeated_rows, stores_alike
from neurt.measure.stored_model import Rates
from neurt.measure.widths import StoredWidths
from neurt.spiking.config import SpikingConfig
from reports.map.cells import CONTENDERS, Bill

#: Rows of weights that nothing needs are not fetched, where that is known.
FLOW = Dataflow.GATHERED


class MapError(UserError, ValueError):
    """A map that cannot be drawn."""


@dataclass(frozen=True)
class Mapped:
    """A model, its conversion, and how active it is."""

    model: str  #: its name
    weights: str  #: where its weights came from
    shape: Shape
    spiking: SpikingConfig
    rates: Rates  #: spikes per slot
    #: share of values that have an event in some time step; None, or missing, where it follows from
    #: spikes that are independent of each other
    active: Rates | None
    said: tuple[str, str]  #: where both are from
    #: bits of biases, norms and tables that the checkpoint says, by name of the row
    vector_bits: Mapping[str, float | None]
    conventions: Conventions

    @cached_property
    def counted(self) -> Shape:
        """What is counted: one layer for all of them, where they are alike."""
        bits: dict[str, RowBits] = {name: (None, x) for name, x in self.vector_bits.items()}
        apart = isinstance(self.rates, Mapping) or isinstance(self.active, Mapping)
        alike = not apart and stores_alike(bits)
        return replace(self.shape, layers=1) if alike else self.shape

    def counts(self, what: Pass) -> dict[str, Counts]:
        """Those of the three models, whose weights are as wide as the machine has them."""
        shape, about = self.counted, About(model=self.model, weights=self.weights)
        dense = plan_asa(shape, what, self.conventions, **about)
        how = (shape, what, self.spiking, self.rates, self.conventions)
        spiking = plan_ssa(*how, active_rate=self.active, **about)
        zones = plan_zones(dense, spiking, self._active)
        return dict(zip(CONTENDERS, map(self._stored, (dense, zones, spiking)), strict=True))

    def _active(self, coder: str) -> float:
        """Share of the values of a coder that are not silent."""
        found = self.active.get(coder) if isinstance(self.active, Mapping) else self.active
        if found is None:
            rate = self.rates[coder] if isinstance(self.rates, Mapping) else self.rates
            found = any_of(min(1.0, rate), self.spiking.timesteps)
        return found

    def _stored(self, counts: Counts) -> Counts:
        if not any(self.vector_bits.values()):
            return counts
        said = self.vector_bits
        rows = (replace(row, vector_bits=said.get(row.name)) for row in counts.layers)
        return replace(counts, layers=tuple(rows))


def vector_bits(stored: StoredWidths, *sides: Counts) -> dict[str, float | None]:
    """Bits of biases, norms and tables of each row, as a checkpoint or the counts say."""
    return {row.name: row.vector_bits for side in sides for row in stored.rows(side).layers}


class Bills:
    """The counts of the three models in all passes, and their bills on one machine or another."""

    def __init__(
        self,
        mapped: Mapped,
        passes: Sequence[Pass],
        dataflow: Dataflow,
        *,
        alone: bool = False,
    ) -> None:
        """Count them; `alone` if the machine has cores, on which each is priced by itself."""
        self._dataflow = dataflow
        self._tokens = [one.tokens for one in passes]
        counts = {
            (i, name): of_one
            for i, one in enumerate(passes)
            for name, of_one in mapped.counts(one).items()
        }
        together: dict[object, list[tuple[int, str]]] = {}
        for i, name in counts:
            key = (i, name) if alone else passes[i].queries
            together.setdefault(key, []).append((i, name))
        self._stacks = [
            (members, Stack(of_them, tuple(repeated_rows(x, mapped.shape.layers) for x in of_them)))
            for members in together.values()
            for of_them in (tuple(counts[member] for member in members),)
        ]
        #: operations without a price on the machines asked about
        self.unpriced: dict[Op, None] = {}

    def on(self, machine: HardwareProfile) -> list[Bill]:
        """The bills of each pass.

        Raises:
            MapError: If a multiply-accumulate or an event has no price there.
        """
        parts: list[dict[str, dict[str, float]]] = [
            {name: {} for name in CONTENDERS} for _ in self._tokens
        ]
        for members, stack in self._stacks:
            bill = stack.bill(machine, self._dataflow)
            _check_priced(machine, bill.unpriced)
            self.unpriced |= dict.fromkeys(bill.unpriced)
            for part, pj in bill.parts_pj.items():
                for (i, name), value in zip(members, pj.tolist(), strict=True):
                    parts[i][name][part] = value / self._tokens[i]
        return [Bill(_comparable(one)) for one in parts]


def _check_priced(machine: HardwareProfile, unpriced: tuple[Op, ...]) -> None:
    if missing := COMPUTE.intersection(unpriced):
        raise MapError(
            f"'{machine.name}' has no price of {min(missing)}, so no whole bill of all three "
            "models; give another --hw"
        )


def _comparable(parts_pj: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Bills with static energy where it is known of all three models, else of none."""
    if all(np.isfinite(parts.get(STATIC, np.nan)) for parts in parts_pj.values()):
        return parts_pj
    return {
        name: {part: pj for part, pj in parts.items() if part != STATIC}
        for name, parts in parts_pj.items()
    }
