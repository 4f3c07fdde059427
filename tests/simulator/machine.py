"""Transformer layers of both variants, in the order in which they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from hwmodels import Op
from simulator.layers import Layers
from simulator.scratchpad import Scratchpad, part


class Machine(Layers):
    """Runs a model once, and counts what moves by component and operation."""

    def run(self) -> dict[str, Counter[Op]]:
        """What moves, by component."""
        s = self.sizes
        self._look_up("embedding", len(s.rows), s.width)
        if s.gated:
            self._look_up("rotary", s.queries, s.head_width)  # angles: of the positions
        else:
            self._look_up("embedding", s.queries, s.width)
            self._add_positions()
        for _ in range(s.layers):
            self._attention_block()
            self._feed_forward_block()
        self._norm()
        self._dense("lm_head", s.width, s.vocabulary, bias=False, stores=s.vocabulary)
        return {component: +moved for component, moved in self.moved.items() if +moved}

    def _attention_block(self) -> None:
        s = self.sizes
        self._norm()
        if self.spiking:
            self._coder(len(s.rows) * s.width, s.zones * s.width)
        self._projections()
        if s.gated:
            rotated = len(s.rows) * (s.width + s.kv_width)
            self._function("rotary", rotated + s.queries * s.head_width, rotated)
        if self.spiking:
            self._coder(len(s.rows) * s.width, s.width)  # queries
            for _ in range(2 if s.streamed else 0):
                self._coder(len(s.rows) * s.kv_width, s.kv_width)
        for sequence in range(s.batch):
            self._attend(sequence)
        self._functions_of_attention()
        if self.spiking:
            self._coder(len(s.rows) * s.width, s.zones * s.width)
        self._dense("proj", s.width, s.width, bias=not s.gated, stores=s.width, events=self.spiking)
        self._residual()

    def _projections(self) -> None:
        """Q is stored where attention reads values; K and V go to the cache."""
        s = self.sizes
        made = [s.width, s.kv_width, s.kv_width] if s.gated else [s.width + 2 * s.kv_width]
        queries = 0 if self.spiking else s.width
        for outputs in made:
            stores, queries = (queries, 0) if self.fused else (outputs, queries)
            self._dense(
                "qkv", s.width, outputs, bias=not s.gated, stores=stores, events=self.spiking
            )

    def _attend(self, sequence: int) -> None:
        """Both products of one sequence, block of queries by block."""
        s = self.sizes
        for _ in range(s.queries * s.kv_width):
            self._of("scores")[Op.KV_WRITE] += 1
            self._of("mix")[Op.KV_WRITE] += 1
        if not self.fused:
            self._attend_through_memory(sequence)
            return
        for start in range(0, s.queries, self.block):
            block = part(start, self.block, s.queries)
            pads = {role: Scratchpad(float("inf")) for role in ("scores", "mix")}
            for head, query, key in product(range(s.heads), block, self._seen_by(block)):
                shared = head * s.kv_heads // s.heads
                for channel in range(s.head_width):
                    for op, step in self._of_queries():
                        pads["scores"].load(op, ("Q", step, head, query, channel))
                    pads["scores"].load(Op.KV_READ, ("K", shared, key, channel))
                    pads["mix"].load(Op.KV_READ, ("V", shared, key, channel))
            for role, pad in pads.items():
                self._of(role).update(pad.moved)
            if not self.spiking:  # else the coder stores what was mixed, as events
                self._each("mix", Op.ACTIVATION_WRITE, block, range(s.width))
        self._arrivals()

    def _of_queries(self) -> Iterator[tuple[Op, int]]:
        for step in range(self.sizes.steps if self.spiking else 1):
            yield (Op.SPIKE_READ if self.spiking else Op.ACTIVATION_READ), step

    def _seen_by(self, block: range) -> range:
        """Keys up to the last query of a block, or all."""
        s = self.sizes
        return range(s.keys - s.queries + block[-1] + 1 if s.causal else s.keys)

    def _attend_through_memory(self, sequence: int) -> None:
        """Scores are written, read by the softmax, and its weights by the second product."""
        s = self.sizes
        scores, mix = Scratchpad(float("inf")), Scratchpad(float("inf"))
        for head, query in product(range(s.heads), range(s.queries)):
            last = s.keys - s.queries + query + 1 if s.causal else s.keys
            shared = head * s.kv_heads // s.heads
            for channel, (op, step) in product(range(s.head_width), self._of_queries()):
                scores.load(op, ("Q", step, head, query, channel))
            for key in range(s.keys):
                for channel in range(s.head_width):
                    scores.load(Op.KV_READ, ("K", shared, key, channel))
                    mix.load(Op.KV_READ, ("V", shared, key, channel))
                if key >= last:  # who multiplies knows the mask
                    continue
                scores.store(Op.ACTIVATION_WRITE)
                for op, step in self._of_queries():
                    mix.load(op, ("A", step, head, query, key))
            mix.store(Op.ACTIVATION_WRITE, s.head_width)
        self._of("scores").update(scores.moved)
        self._of("mix").update(mix.moved)
        self._arrivals()

    def _arrivals(self) -> None:
        """The events of new keys and values, which meet the queries that see them."""
        s = self.sizes
        if self.spiking and s.streamed:
            for role in ("scores", "mix"):
                self._each(role, Op.SPIKE_READ, range(s.steps), range(s.queries), range(s.kv_width))

    def _functions_of_attention(self) -> None:
        """Softmax; and of events also the coder of weights, and the division by their sum."""
        s = self.sizes
        seen = sum(
            s.keys - s.queries + query + 1 if s.causal else s.keys for query in range(s.queries)
        )
        pairs = s.batch * s.heads * seen
        self._function("softmax", pairs, pairs)
        if self.spiking:  # the coder takes hidden weights too
            self._coder(s.batch * s.heads * s.queries * s.keys, 1, stored=False)
            mixed = len(s.rows) * s.width
            self._function("softmax", mixed, mixed)

    def _feed_forward_block(self) -> None:
        s = self.sizes
        hidden = len(s.rows) * s.inner
        self._norm()
        if self.spiking:
            self._coder(len(s.rows) * s.width, s.zones * s.width)
        waiting = 0 if self.spiking else s.inner  # the hidden vector, once, where it is values
        for _ in range(2 if s.gated else 1):
            stores, waiting = (waiting, 0) if self.fused else (s.inner, waiting)
            self._dense(
                "ffn_up", s.width, s.inner, bias=not s.gated, stores=stores, events=self.spiking
            )
        self._function("activation", hidden, hidden)
        if s.gated:
            self._function("activation", 2 * hidden, hidden)
        if self.spiking:
            self._coder(hidden, s.zones * s.inner)
        self._dense(
            "ffn_down", s.inner, s.width, bias=not s.gated, stores=s.width, events=self.spiking
        )
        self._residual()
