"""Decode in closed form over the contexts a model has positions for. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, pairwise
from typing import NamedTuple

from energy import Counts, LayerCount
from energy.bill.layer import COMPUTE
from energy.bill.pricing import prepare, terms
from hwmodels import Buffer, Dataflow, Fusion, HardwareProfile, Room
from hwmodels.pair import TwoMachines
from neurt.closed_form.passes import decode
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.measure.alike import RowBits, repeated_rows, stores_alike
from neurt.measure.stored_model import Rates, active_rates, spike_rates, stored_model
from neurt.spiking.config import SpikingConfig
from reports.kit.parts import other_bound
from reports.roofline.roofline import Roofline, TokenCost
from reports.run.run import Run

#: Sequences side by side: alone, a small server, a large one.
BATCHES = (1, 8, 64)

#: Sequences side by side over which it is drawn until when gathered rows save something, and the
#: context of each.
SIDE_BY_SIDE, CONTEXT = tuple(2**power for power in range(8)), 512

#: A cached token that costs so many times as much at twice the context lies elsewhere.
_JUMP = 3.0


def decode_rooflines(run: Run, batches: tuple[int, ...] = BATCHES) -> tuple[Roofline, ...]:
    """Energy per token of a run's model in decode, for each hardware that has memory prices.

    Spike rates are those of the run, layer by layer, and taken not to depend on the context: the
    assumed one of a plan, or what the last phase of a profile measured.

    Args:
        run: With the sizes of its model as `shape` in its settings.

    Returns:
        None of hardware on which neither weights nor cache cost anything; empty for a run that
        does not say its sizes.
    """
    stored = stored_model(run)
    if stored is None:
        return ()
    shape, spiking = stored
    rates, said = spike_rates(run, shape, spiking)
    bits = {row.name: (row.weight_bits, row.vector_bits) for row in run.asa.layers}
    active, _ = active_rates(run, shape, rates, spiking.timesteps)
    model, found = _Model(shape, spiking, rates, bits, active), []
    for profile in run.profiles:
        if isinstance(profile, TwoMachines):
            continue  # `plan --context` sweeps over contexts on two machines
        dataflow = run.dataflow or profile.dataflow
        curves = _Curves(model, profile, dataflow, batches)
        costs, crossings = curves.costs(), curves.crossings()
        other = profile.model_copy(update={"fusion": Fusion(other_bound(profile))})
        beyond = _Curves(model, other, dataflow, batches).costs()
        if any(cost.weights or cost.kv_cache for cost in costs):
            ends = (str(dataflow), costs, beyond, crossings)
            about = (run.title, run.asa.model, run.asa.weights)
            over_batch = curves.over_batch()
            found.append(Roofline(profile, *ends, *about, spiking.timesteps, said, over_batch))
    return tuple(found)


class _Model(NamedTuple):
    """A model and its conversion, of which decode steps are counted."""

    shape: Shape
    spiking: SpikingConfig
    rates: Rates
    #: bits of weights and of vectors of each row that the checkpoint says, by name
    bits: Mapping[str, RowBits]
    #: share of the channels of a token that are not silent, likewise; None to follow from the rates
    active: Rates | None = None

    def alike(self) -> _Model:
        """One layer for all of them, where they are alike: without measured rates."""
        rated = isinstance(self.rates, float) and not isinstance(self.active, Mapping)
        alike = rated and stores_alike(self.bits)
        return self._replace(shape=replace(self.shape, layers=1)) if alike else self

    def step(self, variant: str, batch: int, context: int) -> Counts:
        """Counts of one step of the whole batch."""
        what = decode(context, batch=batch)
        counts = (
            plan_asa(self.shape, what)
            if variant == "asa"
            else plan_ssa(self.shape, what, self.spiking, self.rates, active_rate=self.active)
        )
        return replace(counts, layers=tuple(map(self._stored, counts.layers)))

    def _stored(self, row: LayerCount) -> LayerCount:
        weights, vectors = self.bits.get(row.name, (None, None))
        return replace(row, weight_bits=weights, vector_bits=vectors)


class _Curves:
    """What a token of decode costs on one machine, as the context grows."""

    def __init__(
        self, model: _Model, profile: HardwareProfile, dataflow: Dataflow, batches: Iterable[int]
    ) -> None:
        # How far spikes travel depends on all layers together.
        self._model = model.alike() if profile.core is None else model
        self._layers = model.shape.layers
        self._profile, self._dataflow = profile, dataflow
        self._sides = [(variant, batch) for variant in ("asa", "ssa") for batch in batches]
        longest = model.shape.span
        self._contexts = [*(2**power for power in range((longest - 1).bit_length())), longest]
        self._known: dict[tuple[str, int, int], TokenCost] = {}

    def costs(self) -> tuple[TokenCost, ...]:
        """At powers of two; in fixed order also at both sides of a jump."""
        found: list[TokenCost] = []
        for side in self._sides:
            contexts = {*self._contexts}
            if self._profile.room is Room.FIXED_ORDER:
                contexts |= {*self._jump(side)}
            found += [self._cost(side, context) for context in sorted(contexts)]
        return tuple(found)

    def over_batch(self) -> tuple[tuple[str, TokenCost], ...]:
        """At one context: both models as the dataflow has it, and the spiking one that gathers."""
        context, gathered = min(CONTEXT, self._contexts[-1]), Dataflow.GATHERED
        plain = Dataflow.TIME_BATCHED if self._dataflow is gathered else self._dataflow
        found = []
        for variant, dataflow in (("asa", plain), ("ssa", plain), ("ssa", gathered)):
            for batch in SIDE_BY_SIDE:
                counts = self._model.step(variant, batch, context)
                cost = _priced(counts, self._layers, context, self._profile, dataflow)
                found.append((str(dataflow), cost))
        return tuple(found)

    def crossings(self) -> dict[tuple[str, int], int]:
        """The first context at which the cache costs more than the weights, where there is one."""

        def over(side: tuple[str, int], context: int) -> float:
            cost = self._cost(side, context)
            return (cost.kv_cache or 0.0) - (cost.weights or 0.0)

        found = {side: _first(partial(over, side), self._contexts) for side in self._sides}
        return {side: at for side, at in found.items() if at}

    def _cost(self, side: tuple[str, int], context: int) -> TokenCost:
        key = (*side, context)
        if key not in self._known:
            counts = self._model.step(*key)
            self._known[key] = _priced(counts, self._layers, context, self._profile, self._dataflow)
        return self._known[key]

    def _jump(self, side: tuple[str, int]) -> tuple[int, ...]:
        """The two contexts between which the cache moves to a memory that costs much more."""

        def each(context: int) -> float:
            return (self._cost(side, context).kv_cache or 0.0) / context

        steps = [(each(b) / each(a), a, b) for a, b in pairwise(self._contexts) if each(a)]
        factor, low, high = max(steps, default=(0.0, 0, 0))
        if factor < _JUMP:
            return ()
        middle = math.sqrt(each(low) * each(high))
        at = _first(lambda context: each(context) - middle, (low, high))
        return (at - 1, at) if at else ()


def _priced(
    counts: Counts, layers: int, context: int, profile: HardwareProfile, dataflow: Dataflow
) -> TokenCost:
    """The bill of one step for each of its tokens, by what the energy is spent on."""
    rows = repeated_rows(counts, layers)
    work = prepare(counts, profile, dataflow, rows)
    found: dict[str, list[float]] = {}
    for term in terms(work, profile):
        each = term.constant.pj(profile) if term.constant else 0.0
        part = _PARTS.get(term.op.buffer, "other_traffic") if term.op.buffer else "arithmetic"
        found.setdefault(part, []).append(float(term.amounts[rows].sum()) * each / counts.batch)
    unpriced = [op for op in work.amounts if not profile.is_priced(op)]
    pj = {part: math.fsum(parts) for part, parts in found.items()}
    return TokenCost(
        counts.variant,
        counts.batch,
        context,
        arithmetic=None if COMPUTE & {*unpriced} else pj.get("arithmetic", 0.0),
        weights=pj.get("weights"),
        kv_cache=pj.get("kv_cache"),
        other_traffic=pj.get("other_traffic"),
        unpriced=tuple(op.value for op in unpriced),
    )


_PARTS = {Buffer.WEIGHTS: "weights", Buffer.KV_CACHE: "kv_cache"}


def _first(excess: Callable[[int], float], contexts: Sequence[int]) -> int | None:
    """The first context at which something becomes positive for good, between those given.

    Looked for where a straight line would cross zero, and in the middle, in turns.
    """
    high = next((context for context in contexts if excess(context) > 0), None)
    low = max((context for context in contexts if context < (high or 0)), default=0)
    turns = cycle((True, True, False))
    while high is not None and high - low > 1:
        middle = (low + high) // 2
        if low and next(turns):
            below, above = excess(low), excess(high)
            middle = low + math.ceil((high - low) * below / (below - above))
            middle = min(max(middle, low + 1), high - 1)
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return high
