"""The table of a measured spiking run, in closed form at assumed spike rates. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Unpack

from energy.counts import About, Counts, Levels, Tally
from energy.formulas import Conventions, nonlinear
from neurt.closed_form.analog_rows import norms_named, residuals
from neurt.closed_form.attention_rows import projections, rotary
from neurt.closed_form.dense_rows import activation
from neurt.closed_form.passes import Pass, PlanError
from neurt.closed_form.plan import whole_model
from neurt.closed_form.plan_rows import ARRIVING, Rows
from neurt.closed_form.row import Row
from neurt.families import Shape, has_conversion, not_converted
from neurt.spiking.config import Code, Coded, DeadZone, Form, SpikingConfig


def plan_ssa(
    shape: Shape,
    what: Pass,
    spiking: SpikingConfig,
    spike_rate: float | Mapping[str, int] | Mapping[str, float],
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    *,
    active_rate: float | Mapping[str, float] | None = None,
    touched: Mapping[str, Tally] = MappingProxyType({}),
    **about: Unpack[About],
) -> Counts:
    """Counts of the spiking model at assumed spike rates.

    Args:
        spike_rate: Spikes per slot everywhere, or of each row; see `Rows`.
        active_rate: Share of the entries of a vector that have an event in some time step.
        touched: Rows of which it is known what they touch.

    Raises:
        PlanError: If coincidences are asked for, which no rate can tell, choices exclude each
            other, or the architecture cannot be converted.
    """
    if conventions.coincidences:
        raise PlanError(
            "coincidences of spikes depend on which spikes meet, not on a rate; measure them with "
            "`neurt-energy profile`"
        )
    if spiking.conflict:
        raise PlanError(spiking.conflict)
    if not has_conversion(shape):
        raise PlanError(not_converted(shape))

    def rows(prefix: str) -> _Layer:
        given = (shape, what, spiking, spike_rate, conventions, prefix, active_rate, touched)
        return _Layer(*given)

    def layer(prefix: str) -> list[Row]:
        return rows(prefix).all()

    apart = isinstance(spike_rate, Mapping) or isinstance(active_rate, Mapping)
    alike = [] if apart else layer("")
    about.setdefault("timesteps", spiking.timesteps)
    return whole_model(
        "ssa",
        shape,
        what,
        (lambda _depth, _prefix: alike) if alike else (lambda _depth, prefix: layer(prefix)),
        conventions,
        about,
        head=_head(rows("")),
    )


def _head(rows: Rows) -> list[Row]:
    """The language-model head and its coder; none where it is the analog one."""
    if not rows.spiking.head:
        return []
    width, out, levels = rows.shape.width, rows.shape.vocabulary, rows.spiking.code.levels
    return [
        rows.coder("lm_head.encoder", width, Coded.HEAD),
        rows.linear("lm_head", width, out, levels, bias=False, kind="EventHead"),
    ]


class _Layer(Rows):
    """One transformer layer."""

    def all(self) -> list[Row]:
        """Its rows, in the order in which they work."""
        shape, family = self.shape, self.family
        forms = {Form.SPIKFORMER: self._spikformer, Form.SOFTMAX: self._softmax}
        return [
            *norms_named(family.norms.attention, shape, self.tokens),
            *forms[self.spiking.form](),
            *norms_named(family.norms.feedforward, shape, self.tokens),
            *self._feedforward(),
            *residuals(shape, self.tokens),
        ]

    def _feedforward(self) -> list[Row]:
        shape, layout, code = self.shape, self.family.feedforward, self.spiking.code
        how: Any = {"levels": code.levels, "bias": shape.ffn_bias}
        return [
            *(
                self.coder(layout.name(name), shape.width, Coded.FEEDFORWARD)
                for name in self.encoders(layout.into_hidden)
            ),
            *(
                self.linear(layout.name(part), shape.width, shape.inner, **how)
                for part in layout.into_hidden
            ),
            *activation(shape, layout, self.tokens, shape.inner),
            self.coder(layout.name("hidden_encoder"), shape.inner, Coded.FEEDFORWARD),
            self.linear(layout.name(layout.down), shape.inner, shape.width, **how),
        ]

    def _into_attention(self, *, accumulate: bool = True) -> list[Row]:
        """The coders of the block's input, and the projections that their events reach."""
        shape, code = self.shape, self.spiking.code_of_attention
        how: Any = {"bias": shape.qkv_bias, "accumulate": accumulate}
        return [
            *(
                self.coder(self.attention(name), shape.width, Coded.ATTENTION)
                for name in self.encoders(self.family.attention.inputs)
            ),
            *(
                self.linear(self.attention(name), shape.width, fan_out, code.levels, **how)
                for name, fan_out in projections(shape)
            ),
        ]

    def _queries(self, code: Code) -> Row:
        """The coder of Q. Its thresholds belong to K, so the heads that share K share them."""
        shape = self.shape
        channels = shape.kv_width if code.scaled else shape.query_width
        values = self.tokens * shape.query_width
        return self.code(self.attention("query_encoder"), Coded.PRODUCT, values, channels, channels)

    def _out_of_attention(self, levels: Levels) -> Row:
        shape = self.shape
        name, bias = self.attention(self.family.attention.output), shape.out_bias
        return self.linear(name, shape.query_width, shape.width, levels, bias=bias)

    def _spikformer(self) -> list[Row]:
        shape, code = self.shape, self.spiking.code_of_attention
        # The currents of a code whose value is a mean are rotated, and drive neurons, step by step.
        once, all_channels = not code.averages, shape.query_width + 2 * shape.kv_width
        mixed = self.steps * self.tokens * shape.query_width
        return [
            *self._into_attention(accumulate=once),
            *rotary(shape, self.what, 1 if once else self.steps),
            self.neurons(
                self.attention("qkv_neuron"), "LIF", all_channels, Levels.BINARY, repeated=once
            ),
            self.binary("scores"),
            self.binary("mix"),
            (
                self.attention("core.normalise"),
                "RowScale",
                nonlinear.row_scale(mixed),
            ),
            self.neurons(self.attention("mix_neuron"), "LIF", shape.query_width, Levels.BINARY),
            self._out_of_attention(Levels.BINARY),
        ]

    def _softmax(self) -> list[Row]:
        shape, code = self.shape, self.spiking.code_of_attention
        what, pairs = self.what, self.conventions.attention
        heads = what.batch * shape.heads
        softmax = nonlinear.softmax(heads, what.queries, what.keys, attention=pairs)
        by_head = self.spiking.dead_zone is DeadZone.LOSS  # thresholds of the weights
        weights, encoder = heads * what.queries * what.keys, self.attention("core.weight_encoder")
        arrived = (
            self.steps * weights  # every slot of an analog code holds something
            if code is Code.EXACT
            else self.spikes(encoder, self.steps * weights)
        )
        normalise = nonlinear.row_normalise(heads * what.queries, shape.head_width, arrived)
        return [
            *self._into_attention(),
            *rotary(shape, what),
            self._queries(code),
            *(
                self.coder(self.attention(name), shape.kv_width, Coded.PRODUCT)
                for name in ARRIVING.values()
                if self.streamed
            ),
            self.events("scores", code.levels),
            (self.attention("core.softmax"), "ScaledSoftmax", softmax),
            self.code(encoder, Coded.PRODUCT, weights, shape.heads if by_head else 1, what.keys),
            self.events("mix", code.levels),
            (self.attention("core.normalise"), "RowNormalise", normalise),
            self.coder(self.attention("mix_encoder"), shape.query_width, Coded.ATTENTION),
            self._out_of_attention(code.levels),
        ]
