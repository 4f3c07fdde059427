"""Counts at other time steps and spike rates are those that a plan gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from energy import Counts, LayerCount, Tally
from hwmodels import Op, load_profile
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig
from reports import Run
from reports.page.data import page_data

Evaluate = Callable[[str, Any], Any]

SCALED = """({ world, counts, timesteps, rate }) => {
  const found = execution.scaled(world, execution.loaded(counts), timesteps, rate);
  const touched = { touched_weights: found.touched_weights, touched_kv: found.touched_kv };
  return { ...touched, spikes: [...found.spikes], slots: [...found.slots],
    dense_macs: [...found.dense_macs],
    ops: Object.fromEntries(Object.entries(found.ops).map(([op, column]) => [op, [...column]])) };
}"""

SHAPE = Shape(layers=2, width=64, heads=4, inner=256, vocabulary=101, positions=64)
FORMS = [
    SpikingConfig(form=form, code=code, key_value=key_value)
    for form in Form
    for code in Code
    if code is not Code.EXACT
    for key_value in (KeyValue.STORED, KeyValue.STREAMED)
    if form is Form.SOFTMAX or key_value is KeyValue.STORED
]


def embedded(counts: Counts) -> dict[str, Any]:
    """What `scaled` needs: the vocabulary, and the counts in columns."""
    run = Run("profile", counts, counts, (load_profile("45nm"),), {}, {}, "never")
    data = page_data(run)
    return {"world": data["world"], "counts": data["run"]["phases"][0]["ssa"]}


def named(config: SpikingConfig) -> str:
    return f"{config.form}-{config.code}-{config.key_value}"


def scaled_and_planned(
    evaluate: Evaluate,
    what: Pass,
    config: SpikingConfig,
    timesteps: int,
    rates: tuple[float, float],
) -> None:
    before = plan_ssa(SHAPE, what, config, rates[0])
    after = plan_ssa(SHAPE, what, config.model_copy(update={"timesteps": timesteps}), rates[1])
    how = {"timesteps": timesteps, "rate": rates[1] / rates[0]}
    found = evaluate(SCALED, {**embedded(before), **how})
    for i, row in enumerate(after.layers):
        if row.kind == "RowNormalise" and rates[0] != rates[1]:
            continue  # its additions stay as counted, as the page says
        for op in Op:
            column = found["ops"].get(op)
            # Spikes are whole, and packed into whole bytes.
            loose = {"rel": 0.02, "abs": 2 * SHAPE.inner}
            assert (column[i] if column else 0) == pytest.approx(
                row.tally.ops.get(op, 0), **loose
            ), (
                row.name,
                op,
            )
        for key in ("slots", "dense_macs"):
            assert found[key][i] == getattr(row.tally, key), row.name
        if config.form is Form.SOFTMAX:  # a score of Spikformer is two spikes that meet
            for key in ("touched_weights", "touched_kv"):
                planned = getattr(row.tally, key)
                assert (found[key][i] is None) == (planned is None), row.name
                assert (found[key][i] or 0) == pytest.approx(planned or 0, rel=0.02), row.name


@pytest.mark.parametrize("what", [prefill(16), decode(16)], ids=["prefill", "decode"])
@pytest.mark.parametrize("config", FORMS, ids=named)
def test_counts_at_other_time_steps_are_those_of_a_plan(
    evaluate: Evaluate, config: SpikingConfig, what: Pass
) -> None:
    scaled_and_planned(evaluate, what, config, 8, (0.25, 0.25))


@pytest.mark.parametrize("config", FORMS, ids=named)
def test_counts_at_another_spike_rate_are_those_of_a_plan(
    evaluate: Evaluate, config: SpikingConfig
) -> None:
    scaled_and_planned(evaluate, prefill(16), config, 4, (0.25, 0.5))
    scaled_and_planned(evaluate, decode(16), config, 4, (0.1, 0.2))


def test_no_slot_holds_more_than_one_spike(evaluate: Evaluate) -> None:
    tally = Tally({Op.AC: 60, Op.SPIKE: 6}, dense_macs=100, spikes=6, slots=10)
    counts = Counts("ssa", (LayerCount("fc", "Linear", calls=1, tally=tally),), timesteps=2)
    found = evaluate(SCALED, {**embedded(counts), "timesteps": 2, "rate": 5})
    # 6 of 10 slots spike, so at most 10 / 6 times as much.
    assert found["spikes"] == pytest.approx([10])
    assert found["ops"]["ac"] == pytest.approx([100])
    assert found["ops"]["spike"] == pytest.approx([10])
