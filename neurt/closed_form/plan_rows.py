"""The rows of a planned spiking layer: neurons, event-driven layers, products. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from energy import formulas
from energy.counts import Levels, Tally
from energy.formulas import Attention as Pairs
from energy.formulas.arithmetic import ARITHMETIC
from energy.formulas.attention import Events, Product, event_attention, spikformer
from energy.formulas.touched import cached_rows, rows_in_steps
from hwmodels import Op
from neurt.closed_form.assumed import Assumed
from neurt.closed_form.row import Row
from neurt.spiking.config import Code, Coded, Coders, KeyValue

#: Coders of the second stream of each product of attention.
ARRIVING = {"scores": "key_encoder", "mix": "value_encoder"}


class Rows(Assumed):
    """The rows that a transformer layer is made of, at assumed spike rates."""

    def neurons(
        self, name: str, kind: str, channels: int, levels: Levels, *, repeated: bool = False
    ) -> Row:
        """Neurons, one per channel and token, that a current drives in each time step.

        With `repeated` it is the same current in each of them.
        """
        values = self.tokens * channels
        inputs = values if repeated else self.steps * values
        return self._updates(name, kind, values, channels, levels, inputs, channels)

    def encoders(self, layers: Sequence[str]) -> list[str]:
        """Names of the coders of the input of so many layers, within their block."""
        if self.spiking.coders is Coders.LAYER and len(layers) > 1:
            return [f"encoders.{name}" for name in layers]
        return ["encoder"]

    def coder(self, name: str, channels: int, coded: Coded) -> Row:
        """A coder of one value per channel and token."""
        return self.code(name, coded, self.tokens * channels, channels, channels)

    def code(self, name: str, coded: Coded, values: int, channels: int, vector: int) -> Row:
        """A coder of so many values, with thresholds for `channels`, in vectors of so many."""
        code = self.spiking.code_of(coded)
        if code is Code.EXACT:  # it sends no events and compares nothing
            return name, code.kind, Tally()
        thresholds = channels * (2 if self.spiking.resolution_of(coded) < 1 else 1)
        return self._updates(name, code.kind, values, thresholds, code.levels, values, vector)

    def _updates(
        self,
        name: str,
        kind: str,
        values: int,
        thresholds: int,
        levels: Levels,
        inputs: int,
        vector: int,
    ) -> Row:
        softmax_weights = name.endswith(".weight_encoder")
        updates, arithmetic = self.steps * values, ARITHMETIC[kind]
        spikes = self.spikes(name, updates)
        # Spikes are taken as spread evenly over values: no other way needs more steps.
        steps = min(updates, spikes + values) if arithmetic.stops else updates
        tally = formulas.neurons(
            updates,
            spikes,
            thresholds,
            inputs=inputs,
            levels=levels,
            vector=vector,
            arithmetic=arithmetic.ops(values, steps, values // vector if softmax_weights else 0),
        )
        return name, kind, tally

    def linear(
        self,
        name: str,
        fan_in: int,
        fan_out: int,
        levels: Levels,
        *,
        bias: bool,
        accumulate: bool = True,
        kind: str = "",
    ) -> Row:
        """A layer fed by events; accumulated, its time steps share a result."""
        rows = self.steps * self.tokens
        tally = formulas.event_linear(
            rows,
            fan_in,
            fan_out,
            0 if levels is Levels.ANALOG else self.spikes(name, rows * fan_in),
            bias=bias,
            levels=levels,
            steps=self.steps if accumulate else 1,
        )
        if levels is not Levels.ANALOG:
            tally = self.fetching(name, tally, fan_in * fan_out)
        return name, kind or f"Event{self.family.linear}", tally

    def binary(self, role: Literal["scores", "mix"]) -> Row:
        """A product of Spikformer, with its own result in each time step."""
        shape, each = self.shape, self.steps * self.what.batch
        heads, kv_heads = each * shape.heads, each * shape.kv_heads
        queries, keys = self.what.queries, self.what.keys
        name = self.attention(f"core.{role}")
        product = Product(
            heads,
            queries,
            keys,
            shape.head_width,
            kv_heads,
            self.conventions.attention,
        )
        # Queries stream over the keys; values stream into the rows of all queries, of each head
        # that shares them.
        slots = product.vectors if role == "scores" else product.cached
        met = keys if role == "scores" else queries * shape.heads // shape.kv_heads
        events = self.spikes(name, slots)
        tally = spikformer(role, product, events, self._share(events, slots, heads, met))
        query, key = self.rate(name), self.rate(self.attention("qkv_neuron"))
        rows = None
        if query is not None and key is not None:
            rows = rows_in_steps(role, product, query, key)
        return name, "MatMul", self.touching(name, tally, rows)

    def _share(self, events: int, slots: int, heads: int, met: int) -> int:
        """Full: every event meets every token of the other side. Causal: the share it may see."""
        if self.conventions.attention is Pairs.FULL:
            return events * met
        pairs = formulas.pairs(self.what.queries, self.what.keys, self.conventions.attention)
        return round(events / slots * heads * pairs * self.shape.head_width)

    def events(self, role: Literal["scores", "mix"], levels: Levels) -> Row:
        """A product of the softmax form: events of Q, or of the weights, meet what is stored."""
        heads, width = self.what.batch * self.shape.heads, self.shape.head_width
        queries, keys = self.what.queries, self.what.keys
        slots = self.steps * heads * queries * (width if role == "scores" else keys)
        analog = levels is Levels.ANALOG
        coder = "query_encoder" if role == "scores" else "core.weight_encoder"
        events = 0 if analog else self.spikes(self.attention(coder), slots)
        accumulates = (
            self._share(events, slots, self.steps * heads, keys)
            if role == "scores"
            else events * width  # a weight that the mask hides sends no event
        )
        kv_heads = self.what.batch * self.shape.kv_heads
        seen = self.conventions.attention
        product = Product(heads, queries, keys, width, kv_heads, seen)
        tally = event_attention(
            role,
            product,
            Events(events, slots, accumulates),
            left=levels,
            right=None,
            steps=self.steps,
        )
        name = self.attention(f"core.{role}")
        active = None if analog else self.active(self.attention(coder))
        rows = None if active is None else cached_rows(role, product, active)
        tally = self.touching(name, tally, rows)
        if self.streamed:
            tally = Tally.total((tally, self._arriving(ARRIVING[role], levels)))
        return name, "MatMul", tally

    @property
    def streamed(self) -> bool:
        """Whether K and V are events too."""
        return self.spiking.key_value is KeyValue.STREAMED

    def _arriving(self, coder: str, levels: Levels) -> Tally:
        """The second stream: events of new keys or values meet the queries that see them."""
        slots = self.steps * self.tokens * self.shape.kv_width
        queries, shared_by = self.what.queries, self.shape.heads // self.shape.kv_heads
        pairs = formulas.pairs(queries, queries, self.conventions.attention) * shared_by
        if levels is Levels.ANALOG:
            macs = slots * pairs // queries
            return Tally({Op.MAC: macs, Op.ACTIVATION_READ: slots})
        events = self.spikes(self.attention(coder), slots)
        ops = {
            levels.op: round(events * pairs / queries),
            Op.SPIKE_READ: slots,
        }
        return Tally(ops, spikes=events, slots=slots, levels=levels, channels=self.shape.head_width)
