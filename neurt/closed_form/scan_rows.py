"""The rows of a planned mixer with a state of fixed size. No torch."""

from __future__ import annotations

from energy import formulas
from energy.counts import Tally
from energy.formulas import nonlinear
from energy.formulas.scan import (
    causal_convolution,
    gated_delta,
    gated_norm,
    selective_scan,
)
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.families import DeltaRule, Shape, StateSpace, layout


def state_space(shape: Shape, mixer: StateSpace, what: Pass) -> list[Row]:
    """A mixer of Mamba-2. Nothing of it depends on how many tokens were before."""
    family, scan = layout(shape), mixer.scan
    names, size = family.recurrence, (what.batch, what.queries)
    assert names is not None
    rows = what.batch * what.queries

    def named(part: str, kind: str, tally: Tally) -> Row:
        return f"{names.path}.{part}", kind, tally

    into = formulas.linear(rows, shape.width, scan.made, bias=mixer.bias)
    from_ = formulas.linear(rows, scan.channels, shape.width, bias=mixer.out_bias)
    convolution = causal_convolution(*size, scan.convolved, mixer.kernel, bias=mixer.kernel_bias)
    found = [
        named("in_proj", family.linear, into),
        named("conv1d", names.kind, convolution),
        named("act", names.activation, nonlinear.silu(rows * scan.convolved)),
        named("scan", names.kind, selective_scan(*size, scan)),
        named("out_proj", family.linear, from_),
    ]
    if mixer.scaled:
        scaled = nonlinear.row_scale(rows * (shape.width + scan.made))
        found.append(named("multipliers", names.kind, scaled))
    if mixer.normed:
        found.append(named("norm", names.norm, gated_norm(rows, scan.channels, scan.groups)))
    else:
        elements = rows * scan.channels
        gate = Tally.total((nonlinear.silu(elements), nonlinear.multiply(elements)))
        found.append(named("gate", names.kind, gate))
    return found


def sum_of_mixers(shape: Shape, what: Pass) -> list[Row]:
    """The addition of what an attention and the mixer of Mamba-2 beside it give."""
    names, entries = layout(shape).recurrence, what.batch * what.queries * shape.width
    assert names is not None
    assert names.sum is not None
    return [(names.sum, "Residual", nonlinear.residual(entries, entries))]


def delta_rule(shape: Shape, mixer: DeltaRule, what: Pass) -> list[Row]:
    """A mixer of gated delta networks."""
    family, delta = layout(shape), mixer.delta
    names, size = family.delta, (what.batch, what.queries)
    assert names is not None
    rows = what.batch * what.queries

    def named(part: str, kind: str, tally: Tally) -> Row:
        return f"{names.path}.{part}", kind, tally

    convolution = causal_convolution(*size, delta.convolved, mixer.kernel, bias=False)
    return [
        *(
            named(part, family.linear, formulas.linear(rows, shape.width, made, bias=False))
            for part, made in names.made(delta).items()
        ),
        named("conv1d", names.kind, convolution),
        named("act", names.kind, nonlinear.silu(rows * delta.convolved)),
        named("scan", names.kind, gated_delta(*size, delta)),
        named("norm", names.norm, gated_norm(rows * delta.heads, delta.value_width)),
        named(
            "out_proj", family.linear, formulas.linear(rows, delta.values, shape.width, bias=False)
        ),
    ]
