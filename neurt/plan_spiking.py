"""The table of a measured spiking run, in closed form at assumed spike rates. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from energy import nonlinear
from energy.counts import Counts
from energy.formulas import Conventions
from energy.levels import Levels
from neurt.config import Attention, Code, SpikingConfig
from neurt.gpt2 import GPT2Shape
from neurt.passes import Pass, PlanError
from neurt.plan import VALUE_BYTES, whole_model
from neurt.plan_rows import ARRIVING, Row, Rows


def plan_ssa(
    shape: GPT2Shape,
    what: Pass,
    spiking: SpikingConfig,
    spike_rate: float | Mapping[str, int],
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Any,
) -> Counts:
    """Counts of the spiking model at assumed spike rates.

    Args:
        shape: Its sizes.
        what: The pass.
        spiking: Choices of the conversion.
        spike_rate: Spikes per slot everywhere, or the spikes of each row by name.
        conventions: Choices that change a count.
        **about: Further fields of `Counts`.

    Raises:
        PlanError: If coincidences are asked for, which no rate can tell.
    """
    if conventions.coincidences:
        raise PlanError(
            "coincidences of spikes depend on which spikes meet, not on a rate; measure them with "
            "`neurt-energy profile`"
        )
    depth = 0

    def layer() -> list[Row]:
        nonlocal depth
        rows = _Layer(shape, what, spiking, spike_rate, conventions, f"transformer.h.{depth}.")
        depth += 1
        return rows.all()

    return whole_model(
        "ssa", shape, what, layer, conventions, {"timesteps": spiking.timesteps, **about}
    )


class _Layer(Rows):
    """One transformer layer."""

    def all(self) -> list[Row]:
        """Its rows, in the order of the modules."""
        width, inner = self.shape.width, self.shape.inner
        norm = nonlinear.layer_norm(self.tokens, width, value_bytes=VALUE_BYTES)
        attention = {
            Attention.SPIKFORMER: self._spikformer,
            Attention.SOFTMAX: self._softmax,
        }[self.spiking.attention]
        code = self.spiking.feedforward
        return [
            ("ln_1", "LayerNorm", norm),
            *attention(),
            ("ln_2", "LayerNorm", norm),
            self.coder("mlp.encoder", width, code),
            self.linear("mlp.c_fc", width, inner, code.levels),
            (
                "mlp.act",
                "NewGELUActivation",
                nonlinear.gelu_tanh(self.tokens * inner, value_bytes=VALUE_BYTES),
            ),
            self.coder("mlp.hidden_encoder", inner, code),
            self.linear("mlp.c_proj", inner, width, code.levels),
        ]

    def _spikformer(self) -> list[Row]:
        width, code = self.shape.width, self.spiking.code_of_attention
        scaled = nonlinear.row_scale(self.steps * self.tokens * width, value_bytes=VALUE_BYTES)
        return [
            self.coder("attn.encoder", width, code),
            self.linear("attn.c_attn", width, 3 * width, code.levels, accumulate=not code.averages),
            self.neurons(
                "attn.qkv_neuron", "LIF", 3 * width, Levels.BINARY, repeated=not code.averages
            ),
            self.binary("scores"),
            self.binary("mix"),
            ("attn.core.normalise", "RowScale", scaled),
            self.neurons("attn.mix_neuron", "LIF", width, Levels.BINARY),
            self.linear("attn.c_proj", width, width, Levels.BINARY),
        ]

    def _softmax(self) -> list[Row]:
        width, code = self.shape.width, self.spiking.code_of_attention
        what, pairs = self.what, self.conventions.attention
        heads = what.batch * self.shape.heads
        softmax = nonlinear.softmax(
            heads, what.queries, what.keys, attention=pairs, value_bytes=VALUE_BYTES
        )
        weights = heads * what.queries * what.keys
        arrived = (
            self.steps * weights  # every slot of an analog code holds something
            if code is Code.EXACT
            else self.spikes("attn.core.weight_encoder", self.steps * weights)
        )
        return [
            self.coder("attn.encoder", width, code),
            self.linear("attn.c_attn", width, 3 * width, code.levels),
            self.coder("attn.query_encoder", width, code),
            *(
                self.coder(f"attn.{name}", width, code)
                for name in ARRIVING.values()
                if self.streamed
            ),
            self.events("scores", code.levels),
            ("attn.core.softmax", "ScaledSoftmax", softmax),
            self.code("attn.core.weight_encoder", code, weights, channels=1),
            self.events("mix", code.levels),
            (
                "attn.core.normalise",
                "RowNormalise",
                nonlinear.row_normalise(
                    heads * what.queries, self.head_width, arrived, value_bytes=VALUE_BYTES
                ),
            ),
            self.coder("attn.mix_encoder", width, code),
            self.linear("attn.c_proj", width, width, code.levels),
        ]
