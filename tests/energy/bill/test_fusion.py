"""What moves at the fused bound, rule by rule, counted by hand on one layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from builders import CITED, chip
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Attention, Conventions, Counts, Label, LayerCount, Tally, formulas
from energy.bill.blocking import query_blocks
from energy.bill.fusion import fused
from energy.formulas import nonlinear
from hwmodels import Fusion, Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig

FUSED = chip(fusion=Fusion.FUSED)
MOVED = {
    "W": Op.WEIGHT_READ,
    "vectors": Op.VECTOR_READ,
    "in": Op.ACTIVATION_READ,
    "out": Op.ACTIVATION_WRITE,
    "events in": Op.SPIKE_READ,
    "events out": Op.SPIKE_WRITE,
    "state in": Op.STATE_READ,
    "state out": Op.STATE_WRITE,
    "K in": Op.KV_READ,
    "K out": Op.KV_WRITE,
    "K events in": Op.KV_SPIKE_READ,
    "K events out": Op.KV_SPIKE_WRITE,
}
#: d = 8, 2 heads of 4 channels, 12 in between, 11 tokens in the vocabulary.
GPT2 = Shape(1, 8, 2, 12, 11, 16)
#: The same, gated and rotated, with 1 cached head for both.
LLAMA = Shape(
    *(1, 8, 2, 12, 11, 16),
    **{"model_type": "llama", "kv_heads": 1, "activation": "silu"},
    **dict.fromkeys(("qkv_bias", "out_bias", "ffn_bias"), False),
)
#: 4 tokens at once, and one token of each of 3 sequences after 4 that are cached.
PREFILL, DECODE = prefill(4), decode(5, batch=3)


def moved(counts: Counts) -> dict[str, dict[str, float]]:
    """What each row moves at the fused bound, by its name within the transformer layer."""
    found = {}
    for row in fused(counts, FUSED).layers:
        name = row.name.removeprefix("transformer.h.0.").removeprefix("model.layers.0.")
        ops = row.tally.ops
        found[name] = {word: ops[op] for word, op in MOVED.items() if ops.get(op)}
    return found


def expect(found: Mapping[str, dict[str, float]], **rows: dict[str, float]) -> None:
    """Compare rows by name, of which a dot is written as two underscores."""
    for name, what in rows.items():
        assert found[name.replace("__", ".")] == what, name


def test_a_layer_of_gpt2_in_prefill() -> None:
    found = moved(plan_asa(GPT2, PREFILL))
    expect(
        found,
        # Functions of elements and rows read their constants alone: 8 scales, 8 shifts.
        ln_1={"vectors": 16},
        ln_2={"vectors": 16},
        attn__core__softmax={},
        mlp__act={},
        # 4 x 8 inputs, 8 x 24 weights, 24 biases; the 4 x 8 queries are written, as they are read;
        # keys and values go to the cache, where the products append them.
        attn__c_attn={"W": 192, "vectors": 24, "in": 32, "out": 32},
        # 4 x 8 queries, 4 x 8 keys; the 2 x 4 x 4 scores and weights stay on the chip.
        attn__core__scores={"in": 32, "K in": 32, "K out": 32},
        attn__core__mix={"K in": 32, "K out": 32, "out": 32},
        attn__c_proj={"W": 64, "vectors": 8, "in": 32, "out": 32},
        mlp__c_fc={"W": 96, "vectors": 12, "in": 32, "out": 48},
        mlp__c_proj={"W": 96, "vectors": 8, "in": 48, "out": 32},
        # The stream is read; the sum is written where the result that is added was (above).
        residual__0={"in": 32},
        residual__1={"in": 32},
        # Embeddings copy rows of a table; positions are added to them.
        transformer__wte={"vectors": 32, "out": 32},
        transformer__wpe={"vectors": 32, "out": 32},
        transformer__residual__0={"in": 32},
        transformer__ln_f={"vectors": 16},
        lm_head={"W": 88, "in": 32, "out": 44},  # 4 x 11 results
    )
    assert len(found) == 17


def test_a_layer_of_gpt2_in_decode() -> None:
    expect(
        moved(plan_asa(GPT2, DECODE)),
        # 3 tokens x 8; each of 3 sequences has 5 x 8 keys, of which one token is new.
        attn__c_attn={"W": 192, "vectors": 24, "in": 24, "out": 24},
        attn__core__scores={"in": 24, "K in": 120, "K out": 24},
        attn__core__mix={"K in": 120, "K out": 24, "out": 24},
        attn__c_proj={"W": 64, "vectors": 8, "in": 24, "out": 24},
        residual__0={"in": 24},
        mlp__c_fc={"W": 96, "vectors": 12, "in": 24, "out": 36},
        mlp__c_proj={"W": 96, "vectors": 8, "in": 36, "out": 24},
    )


def test_a_gated_layer_of_llama_in_prefill() -> None:
    expect(
        moved(plan_asa(LLAMA, PREFILL)),
        input_layernorm={"vectors": 8},
        self_attn__core__rotary={},
        # Three projections read the same 4 x 8 values each. Q is written, K and V are cached.
        self_attn__q_proj={"W": 64, "in": 32, "out": 32},
        self_attn__k_proj={"W": 32, "in": 32},
        self_attn__v_proj={"W": 32, "in": 32},
        self_attn__core__scores={"in": 32, "K in": 16, "K out": 16},  # 4 x 4 of the shared head
        self_attn__core__mix={"K in": 16, "K out": 16, "out": 32},
        self_attn__o_proj={"W": 64, "in": 32, "out": 32},
        # The gate's product is made on its way: the 4 x 12 that come out are written once.
        mlp__gate_proj={"W": 96, "in": 32, "out": 48},
        mlp__up_proj={"W": 96, "in": 32},
        mlp__act_fn={},
        mlp__multiply={},
        mlp__down_proj={"W": 96, "in": 48, "out": 32},
        residual__1={"in": 32},
    )


def test_a_gated_layer_of_llama_in_decode() -> None:
    expect(
        moved(plan_asa(LLAMA, DECODE)),
        self_attn__q_proj={"W": 64, "in": 24, "out": 24},
        self_attn__v_proj={"W": 32, "in": 24},
        self_attn__core__scores={"in": 24, "K in": 60, "K out": 12},  # 3 x 5 x 4 and 3 x 4
        mlp__gate_proj={"W": 96, "in": 24, "out": 36},
        mlp__up_proj={"W": 96, "in": 24},
        mlp__down_proj={"W": 96, "in": 36, "out": 24},
    )


def spiking(form: Form, **how: Any) -> SpikingConfig:
    return SpikingConfig(timesteps=2, form=form, code=Code.POW2, **how)


def test_events_of_softmax_attention_in_prefill() -> None:
    found = moved(plan_ssa(GPT2, PREFILL, spiking(Form.SOFTMAX), 0.25))
    expect(
        found,
        # Coders take values on their way, keep no state and write 2 steps x 4 x 8 slots. Those of
        # linear layers have two zones per channel, those of products one.
        attn__encoder={"vectors": 16, "events out": 64},
        # Between two products only the events of the coder move: no analog query is written.
        attn__c_attn={"W": 192, "vectors": 24, "events in": 64},
        attn__query_encoder={"vectors": 8, "events out": 64},
        attn__core__scores={"events in": 64, "K in": 32, "K out": 32},
        attn__core__softmax={},
        # Events of weights never leave the chip, and the mix writes its result as events.
        attn__core__weight_encoder={"vectors": 1},
        attn__core__mix={"K in": 32, "K out": 32},
        attn__core__normalise={},
        attn__mix_encoder={"vectors": 16, "events out": 64},
        attn__c_proj={"W": 64, "vectors": 8, "events in": 64, "out": 32},
        residual__0={"in": 32},
        mlp__encoder={"vectors": 16, "events out": 64},
        mlp__c_fc={"W": 96, "vectors": 12, "events in": 64},
        mlp__act={},
        mlp__hidden_encoder={"vectors": 24, "events out": 96},  # 2 x 4 x 12
        mlp__c_proj={"W": 96, "vectors": 8, "events in": 96, "out": 32},
    )


def test_events_of_new_keys_and_values_come_through_memory() -> None:
    how = spiking(Form.SOFTMAX, key_value=KeyValue.STREAMED)
    expect(
        moved(plan_ssa(LLAMA, DECODE, how, 0.25)),
        # 2 steps x 3 tokens x 8 channels of Q, x 4 of K and of V
        self_attn__query_encoder={"vectors": 8, "events out": 48},
        self_attn__key_encoder={"vectors": 4, "events out": 24},
        self_attn__value_encoder={"vectors": 4, "events out": 24},
        self_attn__core__scores={"events in": 48 + 24, "K in": 60, "K out": 12},
        # Of the weights' 2 x 3 x 2 x 5 events none, of the new values' all.
        self_attn__core__mix={"events in": 24, "K in": 60, "K out": 12},
        mlp__gate_proj={"W": 96, "events in": 48},
        mlp__up_proj={"W": 96, "events in": 48},
        mlp__hidden_encoder={"vectors": 24, "events out": 72},
    )


def test_spikformer_caches_what_its_neurons_send() -> None:
    found = moved(plan_ssa(GPT2, PREFILL, spiking(Form.SPIKFORMER), 0.25))
    expect(
        found,
        attn__c_attn={"W": 192, "vectors": 24, "events in": 64},
        # Of the neurons of Q, K and V those of Q are written as spikes, those of K and V cached.
        attn__qkv_neuron={"vectors": 24, "events out": 64},
        attn__core__scores={"events in": 64, "K events in": 64, "K events out": 64},
        attn__core__mix={"K events in": 64, "K events out": 64},
        attn__core__normalise={},
        attn__mix_neuron={"vectors": 8, "events out": 64},
        attn__c_proj={"W": 64, "vectors": 8, "events in": 64, "out": 32},
    )


def alone(tally: Tally, component: str = "strange") -> dict[Op, float]:
    row = LayerCount("x", "X", Label("other", component), 1, tally)
    [found] = fused(Counts("asa", (row,), tokens=4), FUSED).layers
    return {op: n for op, n in found.tally.ops.items() if op.group == "memory" and n}


def test_a_product_whose_place_is_not_known_keeps_what_it_moves() -> None:
    tally = formulas.linear(4, 8, 6, bias=True)
    assert alone(tally) == {op: n for op, n in tally.ops.items() if op.group == "memory"}
    dense = formulas.matrix_product(2, 3, 4, 5)  # not attention: neither operand is cached
    assert alone(dense) == {op: n for op, n in dense.ops.items() if op.group == "memory"}


def test_a_function_moves_nothing_wherever_it_stands_and_a_copy_all() -> None:
    assert alone(nonlinear.gelu_tanh(32)) == {}
    assert alone(nonlinear.rms_norm(4, 8)) == {Op.VECTOR_READ: 8}
    assert alone(formulas.embedding(4, 8)) == {Op.VECTOR_READ: 32, Op.ACTIVATION_WRITE: 32}


def test_at_the_unfused_bound_counts_are_what_they_were() -> None:
    counts = plan_asa(GPT2, PREFILL)
    assert fused(counts, chip(fusion=Fusion.UNFUSED)) is counts


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_nothing_moves_more_fused_and_all_else_is_the_same(data: st.DataObject) -> None:
    heads, cached = data.draw(st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 2)]))
    size = st.integers(1, 6)
    shape = Shape(
        *(data.draw(st.integers(1, 3)), heads * 2 * data.draw(size), heads),
        *(data.draw(size), data.draw(size), 64),
        **data.draw(
            st.sampled_from([{}, {"model_type": "llama", "kv_heads": cached, "activation": "silu"}])
        ),
    )
    past, queries = data.draw(st.integers(0, 5)), data.draw(size)
    what = Pass(data.draw(size), queries, past + queries)
    conventions = Conventions(data.draw(st.sampled_from(Attention)))
    config = SpikingConfig(
        timesteps=data.draw(size),
        form=(form := data.draw(st.sampled_from(Form))),
        code=data.draw(st.sampled_from([x for x in Code if x is not Code.EXACT])),
        key_value=data.draw(st.sampled_from(KeyValue)) if form is Form.SOFTMAX else KeyValue.STORED,
    )
    rate = data.draw(st.floats(0, 1))
    for counts in (
        plan_asa(shape, what, conventions),
        plan_ssa(shape, what, config, rate, conventions),
    ):
        for before, after in zip(counts.layers, fused(counts, FUSED).layers, strict=True):
            assert before.tally._replace(ops={}) == after.tally._replace(ops={})
            for op in Op:
                if op.group == "memory":
                    assert 0 <= after.ops[op] <= before.ops[op], (before.name, op)
                else:
                    assert after.ops[op] == before.ops[op], (before.name, op)
            # What is stored is read and appended at both bounds.
            for op in (Op.WEIGHT_READ, Op.VECTOR_READ, Op.KV_READ, Op.KV_WRITE):
                assert after.ops[op] == before.ops[op], (before.name, op)


def blocks(counts: Counts, room: int | None, name: str = "scores", **keys: Any) -> float:
    level = {"read_pj_per_byte": 3.0, "write_pj_per_byte": 5.0, **CITED}
    ram = level if room is None else level | {"capacity_bytes": room}
    profile = chip(memory={"ram": ram}, fusion=Fusion.FUSED, **keys)
    components = [row.label.component for row in counts.layers]
    return float(query_blocks(counts, profile)[components.index(name)])


CAUSAL = Conventions(Attention.CAUSAL)


@pytest.mark.parametrize("name", ["scores", "mix"])
def test_a_quarter_of_the_room_holds_a_block_of_queries(name: str) -> None:
    # 4 queries x 4 channels of a head, of one byte: 16 bytes, and 4 x 16 = 64
    counts = plan_asa(GPT2, prefill(4, batch=3))
    causal = plan_asa(GPT2, prefill(4, batch=3), CAUSAL)
    assert blocks(counts, None, name) == blocks(causal, None, name) == 1  # room without a limit
    # One block, or 2, 3 of them; where they are causal, block i of b reads i / b of the keys. More
    # than 1 + 2 x 4 / 4 = 3 would move more than scores that are written and read twice over.
    for room, number in ((1000, 1), (64, 1), (32, 2), (16, 3), (1, 3)):
        assert blocks(counts, room, name) == number, room
        assert blocks(causal, room, name) == sum(i + 1 for i in range(number)) / number, room
    # No byte less is a cliff: 64 / 40 = 1.6 blocks, of which causal ones read (1.6 + 1) / 2
    assert blocks(counts, 40, name) == 1.6
    assert blocks(causal, 40, name) == 1.3


def test_a_block_is_as_wide_as_activations_and_one_step_of_events() -> None:
    counts = plan_asa(GPT2, prefill(4))
    wide = {"value_bytes": 2, "widths": {"accumulators": 8}}
    assert blocks(counts, 64, **wide) == 2  # 2 bytes a value
    assert blocks(counts, 64, **wide | {"widths": {"activations": 4}}) == 1  # half a byte
    # Queries of two steps are powers of two, of 6 bits; those of one are on the chip at a time:
    # 4 x 16 x 6 / 8 bytes
    events = plan_ssa(GPT2, prefill(4), spiking(Form.SOFTMAX), 0.25)
    assert (blocks(events, 48), blocks(events, 24)) == (1, 2)


def test_a_decoded_token_is_one_block_and_a_product_of_other_values_none() -> None:
    assert blocks(plan_asa(GPT2, DECODE), 1) == 1
    assert blocks(plan_asa(GPT2, prefill(4)), 1, "ffn_up") == 1
