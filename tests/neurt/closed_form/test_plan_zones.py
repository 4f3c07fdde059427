from __future__ import annotations

import pytest

from energy import Counts
from hwmodels import Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.closed_form.plan_zones import plan_zones
from neurt.families import Shape
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

#: 4 heads of 8 channels; 101 entries of the vocabulary.
SHAPE = Shape(2, 32, 4, 128, vocabulary=101, positions=64)
POW2 = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=4)


def zones(what: Pass, spiking: SpikingConfig = POW2, active: float = 0.25) -> Counts:
    asa = plan_asa(SHAPE, what)
    return plan_zones(
        asa, plan_ssa(SHAPE, what, spiking, 0.1, active_rate=active), lambda _: active
    )


def ops(counts: Counts, name: str) -> dict[Op, float]:
    return dict(counts.layer(name).tally.ops)


def test_a_step_by_hand() -> None:
    found = zones(decode(16, batch=2))
    # Q, K and V: 2 tokens, each with a quarter of 32 channels into 96.
    qkv = found.layer("transformer.h.0.attn.c_attn").tally
    assert qkv.ops[Op.MAC] == qkv.active_weights == 2 * 8 * 96
    # A channel of the two tokens is silent with the chance 0.75^2.
    assert qkv.touched_weights == round((1 - 0.75**2) * 32 * 96) == 1344
    assert qkv.ops[Op.WEIGHT_READ] == 32 * 96
    # Scores: 2 x 4 heads, a quarter of 8 channels of Q with 16 keys; mix: a quarter of 16 weights.
    scores, mix = (found.layer(f"transformer.h.0.attn.core.{x}").tally for x in ("scores", "mix"))
    assert scores.ops[Op.MAC] == mix.ops[Op.MAC] == 2 * 4 * 8 * 16 // 4
    # A row of K is needed unless all 8 channels of Q are silent; a row of V by one weight.
    assert scores.touched_kv == round(2 * 4 * 16 * 8 * (1 - 0.75**8))
    assert mix.touched_kv == 2 * 4 * 16 * 8 // 4
    # The head is not coded.
    assert ops(found, "lm_head")[Op.MAC] == 2 * 32 * 101
    assert found.layer("lm_head").tally.touched_weights is None


def test_a_comparison_for_each_value_and_nothing_else_of_a_neuron() -> None:
    found = zones(decode(16, batch=2))
    coders = {row.name: row.tally.ops for row in found.layers if row.kind == "Zone"}
    compared = {
        name.removeprefix("transformer.h.1."): values[Op.CMP]
        for name, values in coders.items()
        if ".1." in name
    }
    assert compared == {
        "attn.encoder": 2 * 32,
        "attn.query_encoder": 2 * 32,
        "attn.core.weight_encoder": 2 * 4 * 16,
        "attn.mix_encoder": 2 * 32,
        "mlp.encoder": 2 * 32,
        "mlp.hidden_encoder": 2 * 128,
    }
    assert {op for values in coders.values() for op in values} == {Op.CMP, Op.VECTOR_READ}
    assert found.total(Op.NEURON_UPDATE, Op.SPIKE, Op.AC, Op.SHIFT_AC) == 0


def test_the_head_has_zones_where_it_is_coded() -> None:
    found = zones(decode(16), POW2.model_copy(update={"head": True}))
    assert ops(found, "lm_head")[Op.MAC] == 8 * 101
    assert sum(row.kind == "Zone" for row in found.layers) == 2 * 6 + 1


def test_currents_of_lif_neurons_have_no_zone() -> None:
    spikformer = SpikingConfig(form=Form.SPIKFORMER, code=Code.SIGNED_IF)
    found, dense = zones(prefill(16), spikformer), plan_asa(SHAPE, prefill(16))
    for part in ("core.scores", "core.mix", "c_proj"):
        name = f"transformer.h.0.attn.{part}"
        assert found.layer(name) == dense.layer(name)
    assert ops(found, "transformer.h.0.attn.c_attn")[Op.MAC] == 16 * 8 * 96


def test_keys_and_values_are_found_stored() -> None:
    streamed = POW2.model_copy(update={"key_value": KeyValue.STREAMED})
    found, stored = zones(decode(16), streamed), zones(decode(16))
    assert {row.name for row in found.layers} == {row.name for row in stored.layers}
    assert found.total(Op.MAC) == stored.total(Op.MAC)


def test_analog_codes_have_no_zones() -> None:
    exact = SpikingConfig(form=Form.SOFTMAX, code=Code.EXACT)
    assert zones(decode(16), exact) == plan_asa(SHAPE, decode(16))


@pytest.mark.parametrize("what", [decode(16, batch=3), prefill(16, batch=3)])
def test_without_silence_it_is_the_dense_model_with_comparisons(what: Pass) -> None:
    found, dense = zones(what, active=1.0), plan_asa(SHAPE, what)
    assert found.total(Op.MAC) == dense.total(Op.MAC)
    for row in found.layers:
        touched = row.tally.touched_weights
        assert touched in (None, row.tally.ops.get(Op.WEIGHT_READ)), row.name
        assert row.tally.touched_kv in (None, row.tally.ops.get(Op.KV_READ)), row.name
