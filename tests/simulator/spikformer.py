"""The attention of Spikformer: binary Q, K and V, and products with a result in each time step."""

from __future__ import annotations

from itertools import product

from hwmodels import Op
from simulator.machine import Machine
from simulator.scratchpad import Scratchpad, part


class Spikformer(Machine):
    """A model whose attention has spikes for Q, K and V, and no softmax."""

    def _attention_block(self) -> None:
        s = self.sizes
        values, steps = len(s.rows) * s.width, range(s.steps)
        self._norm()
        self._coder(values, s.zones * s.width)
        self._projections()
        if s.gated:
            rotated = len(s.rows) * (s.width + s.kv_width)
            self._function("rotary", rotated + s.queries * s.head_width, rotated)
        currents = len(s.rows) * (s.width + 2 * s.kv_width)
        self._coder(currents, s.width + 2 * s.kv_width, stored=False)
        if self.fused:  # K and V go to the cache
            self._each("neuron", Op.SPIKE_WRITE, steps, s.rows, range(s.width))
        for _ in product(steps, range(s.batch)):
            self._attend_in_a_step()
        self._function("softmax", s.steps * values, s.steps * values)
        self._coder(values, s.width)
        if not self.fused:  # a current in each step, of which the coder above took one
            self._each("neuron", Op.ACTIVATION_READ, range(s.steps - 1), range(values))
        self._dense("proj", s.width, s.width, bias=not s.gated, stores=s.width, events=True)
        self._residual()

    def _attend_in_a_step(self) -> None:
        """Both products of one sequence in one time step."""
        s = self.sizes
        for role in ("scores", "mix"):
            self._each(role, Op.KV_SPIKE_WRITE, range(s.queries), range(s.kv_width))
        block = self.block if self.fused else s.queries
        for start in range(0, s.queries, block):
            queries = part(start, block, s.queries)
            pads = {role: Scratchpad(float("inf")) for role in ("scores", "mix")}
            seen = self._seen_by(queries) if self.fused else range(s.keys)
            for head, query, key in product(range(s.heads), queries, seen):
                shared = head * s.kv_heads // s.heads
                for channel in range(s.head_width):
                    pads["scores"].load(Op.SPIKE_READ, ("Q", head, query, channel))
                    pads["scores"].load(Op.KV_SPIKE_READ, ("K", shared, key, channel))
                    pads["mix"].load(Op.KV_SPIKE_READ, ("V", shared, key, channel))
                if not self.fused and (not s.causal or key <= s.keys - s.queries + query):
                    pads["scores"].store(Op.ACTIVATION_WRITE)
                    pads["mix"].load(Op.ACTIVATION_READ, ("A", head, query, key))
            for role, pad in pads.items():
                self._of(role).update(pad.moved)
        if not self.fused:
            self._each("mix", Op.ACTIVATION_WRITE, range(s.queries), range(s.width))
