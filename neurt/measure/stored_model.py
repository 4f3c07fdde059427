"""What a run says of its model: sizes, conversion, spike rates. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from energy.formulas import Attention as Pairs
from energy.formulas import pairs
from energy.formulas.touched import any_of, one_of
from hwmodels import Op
from hwmodels.plain import quoted
from neurt.closed_form.passes import decode
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, ShapeError, family_of
from neurt.families.config import MAX_LAYERS, MAX_SIZE
from neurt.spiking.config import Form, SpikingConfig, stored_choices
from reports.run.run import Run

#: Spikes per slot everywhere, or of each row by name.
Rates = float | Mapping[str, float]


def stored_model(run: Run) -> tuple[Shape, SpikingConfig] | None:
    """The sizes of a run's model and its conversion; None of a run that does not say its sizes.

    Raises:
        ShapeError: If the settings of the run are not those that were written.
    """
    sizes = run.settings.get("shape")
    if not isinstance(sizes, Mapping):
        return None
    try:
        return _shape(sizes), stored_choices(run.settings["spiking"])
    except (TypeError, KeyError, ValueError) as error:
        raise ShapeError(
            "the settings of the run describe no known model and its conversion ('shape' and "
            f"'spiking'): {' '.join(str(error).split())}; run the command again that wrote it"
        ) from error


def _shape(sizes: Mapping[str, Any]) -> Shape:
    """The sizes of a run, as they were written; raises TypeError or ValueError for others."""
    for field in fields(Shape):
        value = sizes.get(field.name, 1)
        most = MAX_LAYERS if field.name == "layers" else MAX_SIZE
        is_kind = field.name not in sizes or type(value).__name__ == field.type
        if not is_kind or (field.type == "int" and not 0 < value <= most):
            raise ValueError(f"'{field.name}' is {quoted(value)}")
    shape = Shape(**sizes)
    family_of(shape.model_type)
    return shape


def spike_rates(run: Run, shape: Shape, spiking: SpikingConfig) -> tuple[Rates, str]:
    """Spikes per slot of each row, and where they are from: assumed in a plan, else measured.

    Raises:
        ShapeError: If the run has not all of them.
    """
    if run.command == "plan":
        rate = run.settings["spike_rate"]
        if not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ShapeError(
                f"the 'spike_rate' of the run is {quoted(rate)}, and was 0 to 1 when it was "
                "written; run the command again that wrote it"
            )
        return float(rate), f"assumed {rate:g}"
    rates = measured_rates(run, spiking)
    for row in plan_ssa(shape, decode(1), spiking, 0.0).layers:
        if row.tally.slots and row.name not in rates:
            raise ShapeError(
                f"the run has no spikes of the layer {quoted(row.name)}, which its 'shape' has: "
                "one of the two was edited; run the command again that wrote it"
            )
    return rates, f"measured in {run.phases[-1].name}"


def measured_rates(run: Run, spiking: SpikingConfig) -> dict[str, float]:
    """Spikes per slot of each row in the last phase of a run.

    Attention weights that the mask hides are silent, and decode has none of those: their slots are
    left out.
    """
    ssa = run.phases[-1].ssa
    found = {}
    for row in ssa.layers:
        if row.tally.slots:
            rate = row.tally.spikes / row.tally.slots
            queries = int(ssa.tokens // (ssa.batch * max(1, row.calls)))
            masked = spiking.form is Form.SOFTMAX and row.name.endswith(
                ("core.weight_encoder", "core.mix")
            )
            if masked and ssa.phase == "prefill":
                rate *= queries**2 / pairs(queries, queries, Pairs.CAUSAL)
            found[row.name] = rate
    return found


def active_rates(run: Run, shape: Shape, rates: Rates, timesteps: int) -> tuple[Rates, str]:
    """Values of a token that have an event in some time step, by what is known, and from where.

    Of a plan that is a share for all; measured are inputs of linear layers, by name of the layer,
    and in decode, where a row of V is met by one token, weights of attention by name of the coder.

    Args:
        run: With counts of its spiking model.
        shape: Its sizes.
        rates: Those of `spike_rates`.
        timesteps: Those of the spiking model.
    """
    if not isinstance(rates, Mapping):
        given = run.settings.get("active_rate")
        share = any_of(rates, timesteps) if given is None else float(str(given))
        return share, f"assumed {share:.4g}"
    ssa, found = run.phases[-1].ssa, dict[str, float]()
    shared_by = shape.heads // shape.kv_heads
    for row in ssa.layers:
        weights, tally = row.tally.ops.get(Op.WEIGHT_READ, 0) / max(1, row.calls), row.tally
        if weights and tally.active_weights is not None:
            found[row.name] = tally.active_weights / weights / ssa.tokens
        coder = row.name.replace("core.mix", "core.weight_encoder")
        if coder in rates and coder != row.name and ssa.phase != "prefill" and tally.touched_kv:
            found[coder] = one_of(tally.touched_kv / tally.kv_read, shared_by)
    return found, f"measured in {run.phases[-1].name}"
