"""The same table as a measured run, in closed form from shapes alone. No torch, no weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from energy import formulas, nonlinear, products
from energy.counts import Counts, LayerCount, Tally
from energy.formulas import Attention, Conventions
from hwmodels import Op
from neurt.config import SpikingConfig
from neurt.gpt2 import GPT2Shape, label
from neurt.passes import Pass, PlanError

VALUE_BYTES = 4


def plan_asa(
    shape: GPT2Shape,
    what: Pass,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Any,
) -> Counts:
    """Counts of the analog model.

    Args:
        shape: Its sizes.
        what: The pass.
        conventions: Choices that change a count.
        **about: Further fields of `Counts`.
    """
    rows = what.batch * what.queries
    attention: dict[str, Any] = {"attention": conventions.attention, "value_bytes": VALUE_BYTES}
    heads = what.batch * shape.heads
    head = (heads, what.queries, what.keys, shape.width // shape.heads, heads)
    linear = partial(formulas.linear, rows, bias=True, value_bytes=VALUE_BYTES)
    norm = nonlinear.layer_norm(rows, shape.width, value_bytes=VALUE_BYTES)

    def layer() -> list[tuple[str, str, Tally]]:
        return [
            ("ln_1", "LayerNorm", norm),
            ("attn.c_attn", "Conv1D", linear(shape.width, 3 * shape.width)),
            ("attn.c_proj", "Conv1D", linear(shape.width, shape.width)),
            ("attn.core.scores", "MatMul", products.scores(*head, **attention)),
            ("attn.core.softmax", "ScaledSoftmax", nonlinear.softmax(*head[:3], **attention)),
            ("attn.core.mix", "MatMul", products.mix(*head, **attention)),
            ("ln_2", "LayerNorm", norm),
            ("mlp.c_fc", "Conv1D", linear(shape.width, shape.inner)),
            ("mlp.c_proj", "Conv1D", linear(shape.inner, shape.width)),
            (
                "mlp.act",
                "NewGELUActivation",
                nonlinear.gelu_tanh(rows * shape.inner, value_bytes=VALUE_BYTES),
            ),
        ]

    return _counts("asa", shape, what, layer, conventions, about)


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
    rows = spiking.timesteps * what.batch * what.queries
    heads = spiking.timesteps * what.batch * shape.heads
    head_width = shape.width // shape.heads
    pairs = heads * formulas.pairs(what.queries, what.keys, conventions.attention)
    width, inner = shape.width, shape.inner
    norm = nonlinear.layer_norm(what.batch * what.queries, width, value_bytes=VALUE_BYTES)
    depth = 0

    def spikes(name: str, slots: int) -> int:
        if isinstance(spike_rate, Mapping):
            return spike_rate[f"transformer.h.{depth}.{name}"]
        return round(spike_rate * slots)

    def neuron(name: str, kind: str, channels: int, bits: int) -> tuple[str, str, Tally]:
        updates = rows * channels
        return (
            name,
            kind,
            formulas.neurons(
                updates,
                spikes(name, updates),
                channels,
                bits_per_slot=bits,
                value_bytes=VALUE_BYTES,
            ),
        )

    def linear(name: str, fan_in: int, fan_out: int, bits: int) -> tuple[str, str, Tally]:
        return (
            name,
            "EventConv1D",
            formulas.event_linear(
                rows,
                fan_in,
                fan_out,
                spikes(name, rows * fan_in),
                bias=True,
                bits_per_slot=bits,
                value_bytes=VALUE_BYTES,
            ),
        )

    def product(
        name: str, formula: Callable[..., Tally], tokens: int, other: int
    ) -> tuple[str, str, Tally]:
        slots = heads * tokens * head_width
        events = spikes(name, slots)
        # Full: every event meets every token of the other side. Causal: the share it may see.
        accumulates = (
            events * other
            if conventions.attention is Attention.FULL
            else round(events / slots * pairs * head_width)
        )
        tally = formula(
            heads,
            what.queries,
            what.keys,
            head_width,
            events,
            accumulates,
            attention=conventions.attention,
            value_bytes=VALUE_BYTES,
        )
        return name, "MatMul", tally

    mixed = rows * width

    def layer() -> list[tuple[str, str, Tally]]:
        nonlocal depth
        found = [
            ("ln_1", "LayerNorm", norm),
            neuron("attn.encoder", "SignedIF", width, 2),
            linear("attn.c_attn", width, 3 * width, 2),
            neuron("attn.qkv_neuron", "LIF", 3 * width, 1),
            product("attn.core.scores", products.event_scores, what.queries, what.keys),
            product("attn.core.mix", products.event_mix, what.keys, what.queries),
            (
                "attn.core.normalise",
                "RowScale",
                nonlinear.row_scale(mixed, value_bytes=VALUE_BYTES),
            ),
            neuron("attn.mix_neuron", "LIF", width, 1),
            linear("attn.c_proj", width, width, 1),
            ("ln_2", "LayerNorm", norm),
            neuron("mlp.encoder", "SignedIF", width, 2),
            linear("mlp.c_fc", width, inner, 2),
            (
                "mlp.act",
                "NewGELUActivation",
                nonlinear.gelu_tanh(what.batch * what.queries * inner, value_bytes=VALUE_BYTES),
            ),
            neuron("mlp.hidden_encoder", "SignedIF", inner, 2),
            linear("mlp.c_proj", inner, width, 2),
        ]
        depth += 1
        return found

    return _counts(
        "ssa", shape, what, layer, conventions, {"timesteps": spiking.timesteps, **about}
    )


def _counts(
    variant: str,
    shape: GPT2Shape,
    what: Pass,
    layer: Callable[[], list[tuple[str, str, Tally]]],
    conventions: Conventions,
    about: Mapping[str, Any],
) -> Counts:
    rows = what.batch * what.queries
    embed = partial(formulas.embedding, width=shape.width, value_bytes=VALUE_BYTES)
    named = [
        ("transformer.wte", "Embedding", embed(rows)),
        # One look-up of positions serves the whole batch.
        ("transformer.wpe", "Embedding", embed(what.queries)),
        *(
            (f"transformer.h.{depth}.{name}", kind, tally)
            for depth in range(shape.layers)
            for name, kind, tally in layer()
        ),
        (
            "transformer.ln_f",
            "LayerNorm",
            nonlinear.layer_norm(rows, shape.width, value_bytes=VALUE_BYTES),
        ),
        (
            "lm_head",
            "Linear",
            formulas.linear(
                rows, shape.width, shape.vocabulary, bias=False, value_bytes=VALUE_BYTES
            ),
        ),
    ]
    return Counts(
        variant,
        tuple(
            LayerCount(name, kind, label(name), what.repeats, _times(tally, what.repeats))
            for name, kind, tally in named
        ),
        phase=what.phase,
        batch=what.batch,
        tokens=what.tokens,
        attention=str(conventions.attention),
        value_bytes=VALUE_BYTES,
        **about,
    )


def _times(tally: Tally, repeats: int) -> Tally:
    ops: dict[Op, int] = {op: n * repeats for op, n in tally.ops.items() if n}
    return Tally(ops, tally.dense_macs * repeats, tally.spikes * repeats, tally.slots * repeats)
