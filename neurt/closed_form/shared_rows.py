"""The rows of a planned layer whose transformer block others share (Zamba2). No torch."""

from __future__ import annotations

from energy import formulas
from energy.formulas import Conventions, nonlinear
from neurt.closed_form.activations import ACTIVATIONS
from neurt.closed_form.attention_rows import attention, normed
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.closed_form.scan_rows import state_space
from neurt.families import Shape, SharedBlock, layout


def shared_block(
    shape: Shape, mixer: SharedBlock, what: Pass, conventions: Conventions
) -> list[Row]:
    """The block with its adapters, the projection of its result, and the mixer behind it."""
    family, rows, width = layout(shape), what.batch * what.queries, shape.width
    block, path = family.feedforward, family.attention.path
    shared, mamba = block.path.rpartition(".")[0], "mamba_decoder"
    norm, adapters = family.class_of_norm(shape.model_type), _Adapters(mixer.call, mixer.rank, rows)
    kind, activation = ACTIVATIONS[shape.activation]
    into, bias = 2 * mixer.inner, shape.ffn_bias
    added = nonlinear.residual(rows * width, rows * width)
    adapted = [
        row
        for at, letter in enumerate("qkv" * mixer.adapted)
        for row in adapters.of(path, f"linear_{letter}", 2 * width, 2 * width, at)
    ]
    return [
        (f"{shared}.input_layernorm", norm, normed(family.norm, rows, 2 * width)),
        *attention(shape, mixer.attention, what, conventions, 2 * width),
        *adapted,
        (f"{shared}.pre_ff_layernorm", norm, normed(family.norm, rows, width)),
        (block.name(block.up), "Linear", formulas.linear(rows, width, into, bias=bias)),
        *adapters.of(block.path, block.up, width, into, 0),
        (block.name(block.activation), kind, activation(rows * mixer.inner)),
        (block.name(block.down), "Linear", formulas.linear(rows, mixer.inner, width, bias=bias)),
        ("linear", "Linear", formulas.linear(rows, width, width, bias=False)),
        (f"{mamba}.input_layernorm", norm, normed(family.norm, rows, width)),
        *((f"{mamba}.{x[0]}", x[1], x[2]) for x in state_space(shape, mixer.state, what)),
        *((f"{mamba}.residual.{at}", "Residual", added) for at in range(2)),
    ]


class _Adapters:
    """The adapters of one call: two layers beside one, whose result is added."""

    def __init__(self, call: int, rank: int, rows: int) -> None:
        self._call, self._rank, self._rows = call, rank, rows

    def of(self, path: str, layer: str, fan_in: int, fan_out: int, at: int) -> list[Row]:
        """Those of a layer, of whose block it is the adapter of number `at`."""
        rows, name = self._rows, f"{path}.{layer}_adapter_list.{self._call}"
        added = nonlinear.residual(rows * fan_out, rows * fan_out)
        return [
            (f"{name}.0", "Linear", formulas.linear(rows, fan_in, self._rank, bias=False)),
            (f"{name}.1", "Linear", formulas.linear(rows, self._rank, fan_out, bias=False)),
            (f"{path}.residual.{at}", "Residual", added),
        ]
