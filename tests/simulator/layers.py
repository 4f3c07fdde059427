"""Layers of a model, which move their values one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from hwmodels import Op
from simulator.scratchpad import Scratchpad


class Sizes(NamedTuple):
    """A model of one family, and what it does."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    batch: int
    queries: int
    keys: int
    gated: bool  #: Llama: a gate, rotary positions, no biases; else GPT-2
    causal: bool = False
    steps: int = 1  #: time steps of the spiking side
    streamed: bool = False  #: K and V are coded too
    zones: int = 1  #: that a coder of the input of a linear layer reads for each channel

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_width

    @property
    def rows(self) -> range:
        return range(self.batch * self.queries)


class Layers:
    """What each kind of layer moves, by component and operation."""

    def __init__(self, sizes: Sizes, *, fused: bool, spiking: bool, block: int | None = None):
        """`block`: queries that a block of attention has in the fused bound; None for all."""
        self.sizes, self.fused, self.spiking = sizes, fused, spiking
        self.block = block or sizes.queries
        self.moved: dict[str, Counter[Op]] = {}

    def _of(self, component: str) -> Counter[Op]:
        return self.moved.setdefault(component, Counter())

    def _each(self, component: str, op: Op, *ranges: Iterable[int]) -> None:
        """Move each value of a tensor."""
        for _ in product(*ranges):
            self._of(component)[op] += 1

    # what is the same in both bounds

    def _look_up(self, component: str, rows: int, width: int) -> None:
        self._each(component, Op.VECTOR_READ, range(rows), range(width))
        self._each(component, Op.ACTIVATION_WRITE, range(rows), range(width))

    def _dense(
        self,
        component: str,
        inputs: int,
        outputs: int,
        *,
        bias: bool,
        stores: int,
        events: bool = False,
    ) -> None:
        """A product with weights: its operand, as values or events; its weights; its result."""
        rows, pad = self.sizes.rows, Scratchpad(float("inf"))
        steps = range(self.sizes.steps) if events else range(1)
        read = Op.SPIKE_READ if events else Op.ACTIVATION_READ
        for j, i, k in product(range(outputs), rows, range(inputs)):
            pad.load(Op.WEIGHT_READ, ("W", k, j))
            for step in steps:
                pad.load(read, ("x", step, i, k))
        for j in range(outputs if bias else 0):
            pad.load(Op.VECTOR_READ, ("b", j))
        self._of(component).update(pad.moved)
        self._each(component, Op.ACTIVATION_WRITE, rows, range(stores))

    # functions of single values and of rows: only unfused ones move anything but their parameters

    def _function(self, component: str, reads: int, writes: int, vectors: int = 0) -> None:
        """A function of so many values, and so many parameters."""
        self._each(component, Op.VECTOR_READ, range(vectors))
        if not self.fused:
            self._each(component, Op.ACTIVATION_READ, range(reads))
            self._each(component, Op.ACTIVATION_WRITE, range(writes))

    def _norm(self) -> None:
        s = self.sizes
        values, parameters = len(s.rows) * s.width, s.width * (1 if s.gated else 2)
        self._function("norm", values, values, parameters)

    def _residual(self) -> None:
        """The stream is read; its sum takes the place of what it adds (fused), or is written."""
        s = self.sizes
        self._each("residual", Op.ACTIVATION_READ, s.rows, range(s.width))
        if not self.fused:
            self._each("residual", Op.ACTIVATION_READ, s.rows, range(s.width))
            self._each("residual", Op.ACTIVATION_WRITE, s.rows, range(s.width))

    def _add_positions(self) -> None:
        """The positions of one sequence, added to those of all."""
        s = self.sizes
        self._each("residual", Op.ACTIVATION_READ, s.rows, range(s.width))
        if not self.fused:
            self._each("residual", Op.ACTIVATION_READ, range(s.queries), range(s.width))
            self._each("residual", Op.ACTIVATION_WRITE, s.rows, range(s.width))

    def _coder(self, values: int, thresholds: int, *, stored: bool = True) -> None:
        """Values become slots of events, step by step; a potential lives from step to step."""
        steps, values_of = range(self.sizes.steps), range(values)
        self._each("neuron", Op.VECTOR_READ, range(thresholds))
        if not self.fused:
            self._each("neuron", Op.ACTIVATION_READ, values_of)
            for op in (Op.STATE_READ, Op.STATE_WRITE):
                self._each("neuron", op, steps, values_of)
        if stored or not self.fused:
            self._each("neuron", Op.SPIKE_WRITE, steps, values_of)
