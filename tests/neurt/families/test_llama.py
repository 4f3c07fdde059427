from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import refused
from plans import by_name, executes_fewer_steps, measured, planned
from transformers import PreTrainedModel

from energy import Attention, Conventions
from hwmodels import Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, ShapeError, read_shape
from neurt.families.parameters import parameters
from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel

# As in the `config.json` of each checkpoint on the hub.
LLAMA_7B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "rms_norm_eps": 1e-05,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}
LLAMA_70B = LLAMA_7B | {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
}
SMOLLM2 = LLAMA_7B | {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "max_position_embeddings": 8192,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
    "vocab_size": 49152,
}
CHECKPOINTS = {"7B": LLAMA_7B, "70B": LLAMA_70B, "SmolLM2-135M": SMOLLM2}
FORMS: dict[str, dict[str, Any]] = {
    "spikformer": {"form": "spikformer"},
    "softmax": {"form": "softmax"},
    "two streams": {"form": "softmax", "key_value": "streamed"},
}
KINDS = ["llama", "llama, all biased", "mistral", "qwen2"]
PASSES = [prefill(9, batch=3), decode(6, batch=2), Pass(batch=2, queries=3, keys=8)]


# Multiply-accumulates of the linear layers for each token, the head included. In a layer: Q, K, V
# d (H + 2 KV) D, output H D d, feed-forward 3 d I.
#   7B: 32 x (4096 x 3 x 4096 + 4096^2 + 3 x 4096 x 11008) + 4096 x 32000
#     = 32 x 202,375,168 + 131,072,000
#   70B: 80 x (8192 x (64 + 16) x 128 + 8192^2 + 3 x 8192 x 28672) + 8192 x 32000
#     = 80 x 855,638,016 + 262,144,000
#   SmolLM2: 30 x (576 x (9 + 6) x 64 + 576^2 + 3 x 576 x 1536) + 576 x 49152
#     = 30 x 3,538,944 + 28,311,552
LINEAR = {"7B": 6_607_077_376, "70B": 68_713_185_280, "SmolLM2-135M": 134_479_872}


@pytest.mark.parametrize(
    ("name", "what", "core", "macs"),
    [
        # In each layer Q K^T and A V: n queries x N keys x H D each, over 2 L.
        ("7B", prefill(128), 2 * 32 * 128**2 * 4096, 850_000_871_424),
        ("7B", prefill(1024), 2 * 32 * 1024**2 * 4096, 7_040_525_139_968),
        ("7B", decode(1025), 2 * 32 * 1025 * 4096, 6_875_774_976),
        ("70B", prefill(128), 2 * 80 * 128**2 * 8192, 8_816_762_552_320),
        ("70B", prefill(1024), 2 * 80 * 1024**2 * 8192, 71_736_691_261_440),
        ("70B", decode(1025), 2 * 80 * 1025 * 8192, 70_056_673_280),
        ("SmolLM2-135M", prefill(128), 2 * 30 * 128**2 * 576, 17_779_654_656),
        ("SmolLM2-135M", prefill(1024), 2 * 30 * 1024**2 * 576, 173_946_175_488),
        ("SmolLM2-135M", decode(1024), 2 * 30 * 1024 * 576, 169_869_312),
    ],
)
def test_macs_of_checkpoints_equal_the_closed_form(
    name: str, what: Pass, core: int, macs: int
) -> None:
    counts = plan_asa(read_shape(CHECKPOINTS[name], name), what)
    assert what.tokens * LINEAR[name] + core == macs
    assert counts.dense_macs == counts.total(Op.MAC) == macs
    products = (counts.only(component=part).dense_macs for part in ("scores", "mix"))
    assert sum(products) == core


@pytest.mark.parametrize(
    ("name", "cached", "appended"),
    [
        # 2 (K, V) x L layers x KV D channels: read for 1025 tokens, written for one.
        ("7B", 268_697_600, 262_144),  # 2 x 32 x 4096 = 262,144
        ("70B", 167_936_000, 163_840),  # 2 x 80 x 8 x 128 = 163,840: an eighth of the 64 heads
        ("SmolLM2-135M", 11_808_000, 11_520),  # 2 x 30 x 3 x 64 = 11,520: a third of the 9 heads
    ],
)
def test_decode_traffic_of_checkpoints(name: str, cached: int, appended: int) -> None:
    counts = plan_asa(read_shape(CHECKPOINTS[name], name), decode(1025))
    assert counts.total(Op.WEIGHT_READ) == LINEAR[name]  # each weight is used once
    assert counts.total(Op.KV_READ) == cached == 1025 * appended
    assert counts.total(Op.KV_WRITE) == appended
    # Norms, embedding and angles: (2 L + 2) d and D values.
    shape = read_shape(CHECKPOINTS[name], name)
    vectors = (2 * shape.layers + 2) * shape.width + shape.head_width
    assert counts.total(Op.VECTOR_READ) == vectors


def test_scalar_operations_of_a_decode_step_of_7b() -> None:
    counts = plan_asa(read_shape(LLAMA_7B, "7B"), decode(1025))

    def of(component: str, block: str, op: Op) -> int:
        return counts.only(block=block, component=component).total(op)

    # A layer's rotation: 2 x 4096 channels of Q and K, each 2 multiplications and 1 addition.
    assert of("rotary", "attention", Op.MUL) == 32 * 2 * 2 * 4096
    assert of("rotary", "attention", Op.ADD) == 32 * 2 * 4096
    # SiLU: an exponential, an addition, a division, a multiplication; its product: one more.
    assert of("activation", "ffn", Op.EXP) == 32 * 11008
    assert of("activation", "ffn", Op.MUL) == 32 * 2 * 11008
    # RMSNorm: d squares, their mean, d by the root, d by the scale.
    assert of("norm", "ffn", Op.MUL) == 32 * (3 * 4096 + 1)
    assert of("norm", "ffn", Op.SQRT) == 32


@pytest.mark.parametrize(
    ("name", "total"),
    [("7B", 6_738_415_616), ("70B", 68_976_648_192), ("SmolLM2-135M", 134_515_008)],
)
def test_the_sizes_give_the_published_numbers_of_parameters(name: str, total: int) -> None:
    shape = read_shape(CHECKPOINTS[name], name)
    assert parameters(shape).total == parameters(shape).active == total


def test_spiking_70b_caches_slots_of_the_shared_heads() -> None:
    shape = read_shape(LLAMA_70B, "70B")
    counts = plan_ssa(shape, decode(1025), SpikingConfig(form="spikformer"), 0.2)  # type: ignore[arg-type]
    # 4 steps, 2 x 80 layers, 8 heads of 128 channels: one slot each.
    assert counts.total(Op.KV_SPIKE_READ) == 4 * 2 * 80 * 8 * 128 * 1025
    assert counts.total(Op.KV_READ) == 0
    asa = plan_asa(shape, decode(1025))
    softmax = plan_ssa(shape, decode(1025), SpikingConfig(), 0.2)
    assert softmax.total(Op.KV_READ) == asa.total(Op.KV_READ)


@pytest.mark.parametrize("name", ["7B", "70B"])
def test_a_plan_needs_neither_weights_nor_torch(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CHECKPOINTS[name]), encoding="utf-8")
    script = (
        "import sys\nfrom neurt.measure.planning import run_plan\n"
        "from neurt.requests.passes import PlanRequest\n"
        "run = run_plan(PlanRequest(model='config.json', hw=('45nm',), out='out'))\n"
        "print(run.asa.dense_macs)\n"
        "print(*{'torch', 'transformers'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    macs = {"7B": 850_000_871_424, "70B": 8_816_762_552_320}[name]
    assert (done.stdout, done.stderr) == (f"{macs}\n\n", "")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("llama", code) for code in (Code.SIGNED_IF, Code.SAR, Code.POW2, Code.EXACT)),
        *((kind, Code.POW2) for kind in KINDS[1:]),
        ("mistral", Code.BURST),
    ],
)
@pytest.mark.parametrize("what", PASSES, ids=str)
def test_the_plan_with_measured_spikes_is_what_the_hooks_count(
    converted_tiny: Callable[..., SpikingLanguageModel],
    form: str,
    kind: str,
    code: Code,
    what: Pass,
) -> None:
    model = converted_tiny(kind, code=code, timesteps=3, **FORMS[form])
    found = measured(model, what, "ssa")
    assert by_name(planned(model, what, found)) == by_name(found)
    assert [row.name for row in found.layers if row.label.block == "other"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_knows_the_weights_that_have_a_threshold_for_each_head(
    converted_tiny: Callable[..., SpikingLanguageModel], kind: str
) -> None:
    how = {"code": "pow2", "form": "softmax", "dead_zone": "loss"}
    model = converted_tiny(kind, timesteps=3, **how)
    found = measured(model, PASSES[2], "ssa")
    assert by_name(planned(model, PASSES[2], found)) == by_name(found)
    encoder = found.layer("model.layers.0.self_attn.core.weight_encoder")
    assert encoder.ops[Op.VECTOR_READ] == 4  # heads


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2, Code.EXACT])
def test_the_causal_plan_agrees_where_no_spike_position_matters(
    converted_tiny: Callable[..., SpikingLanguageModel], form: str, code: Code
) -> None:
    causal = Conventions(Attention.CAUSAL)
    model = converted_tiny("llama", code=code, timesteps=3, **FORMS[form])
    found = measured(model, PASSES[2], "ssa", causal)
    plan = planned(model, PASSES[2], found, causal)
    for row in found.layers:
        other = plan.layer(row.name).tally
        # Which queries a spike meets depends on its position; the plan spreads them evenly.
        depend = {Op.AC, Op.SHIFT_AC} if ".core." in row.name else set()
        depend |= {op for op in Op if executes_fewer_steps(row.kind, op)}
        assert row.tally._replace(ops={}) == other._replace(ops={}), row.name
        for op in set(Op) - depend:
            assert row.tally.ops.get(op, 0) == other.ops.get(op, 0), (row.name, op)


@pytest.mark.parametrize(("queries", "keys"), [(6, 6), (1, 5), (2, 8)])
@pytest.mark.parametrize("attention", Attention)
def test_events_of_a_shared_head_meet_the_queries_of_all_who_share_it(
    attention: Attention, queries: int, keys: int
) -> None:
    # 8 query heads on 2 cached ones of 4 channels, a spike in every slot: all meet all they may.
    shape = Shape(1, 32, 8, 48, 101, 64, model_type="llama", kv_heads=2, activation="silu")
    what, conventions = Pass(2, queries, keys), Conventions(attention)
    causal = attention is Attention.CAUSAL
    pairs = sum(keys - queries + i + 1 if causal else keys for i in range(queries))
    new = sum(queries - j if causal else queries for j in range(queries))  # who sees the new keys
    for choices in FORMS.values():
        spiking = SpikingConfig.model_validate({"timesteps": 3, "code": "pow2", **choices})
        counts = plan_ssa(shape, what, spiking, 1.0, conventions)
        for role in ("scores", "mix"):
            row = counts.layer(f"model.layers.0.self_attn.core.{role}")
            first = 3 * 2 * 8 * pairs * 4  # steps x batch x heads x pairs x width
            assert row.tally.dense_macs == first
            if role == "mix" and choices["form"] == "softmax" and causal:
                continue  # weights that the mask hides have slots, and a rate of 1 fills them
            second = 3 * 2 * 8 * new * 4 if "key_value" in choices else 0
            assert row.ops[Op.AC] + row.ops[Op.SHIFT_AC] == first + second
    choices = SpikingConfig.model_validate({"timesteps": 3, "form": "spikformer"})
    spikformer = plan_ssa(shape, what, choices, 1.0, conventions)
    mix = spikformer.layer("model.layers.0.self_attn.core.mix")
    slots = 3 * 2 * 2 * keys * 4  # steps x batch x cached heads x keys x width
    assert mix.tally.slots == mix.tally.spikes == slots
    assert mix.ops[Op.KV_SPIKE_READ] == slots


def test_what_a_config_says_is_read() -> None:
    assert read_shape(SMOLLM2, "smol") == Shape(
        layers=30,
        width=576,
        heads=9,
        inner=1536,
        vocabulary=49152,
        positions=8192,
        model_type="llama",
        kv_heads=3,
        head_width=64,
        activation="silu",
        qkv_bias=False,
        out_bias=False,
        ffn_bias=False,
        tied=True,
    )
    biased = read_shape(SMOLLM2 | {"attention_bias": True, "mlp_bias": True}, "smol")
    assert (biased.qkv_bias, biased.out_bias, biased.ffn_bias) == (True, True, True)
    wide = read_shape(SMOLLM2 | {"head_dim": 128}, "smol")
    assert (wide.query_width, wide.kv_width) == (9 * 128, 3 * 128)


def test_the_older_config_without_shared_heads_has_one_for_each() -> None:
    # That of Llama-1; null says the same in all types, and what is absent is as in transformers.
    old = {key: value for key, value in SMOLLM2.items() if key != "num_key_value_heads"}
    assert read_shape(old, "old").kv_heads == 9
    for kind, absent in (("llama", 16), ("mistral", 8), ("qwen2", 16)):
        sizes = old | {"model_type": kind, "hidden_size": 512, "num_attention_heads": 16}
        if kind != "qwen2":
            assert read_shape(sizes, kind).kv_heads == absent
        assert read_shape(sizes | {"num_key_value_heads": None}, kind).kv_heads == 16


def test_the_biases_of_qwen2_are_those_of_q_k_and_v() -> None:
    shape = read_shape(SMOLLM2 | {"model_type": "qwen2"}, "qwen")
    assert (shape.qkv_bias, shape.out_bias, shape.ffn_bias) == (True, False, False)


@pytest.mark.parametrize(
    ("said", "positions"),
    [
        ({"model_type": "mistral"}, 4096),  # as in transformers
        ({"model_type": "mistral", "sliding_window": None}, 8192),
        ({"model_type": "mistral", "sliding_window": 1024}, 1024),
        ({"model_type": "mistral", "sliding_window": 10_000}, 8192),
        ({"model_type": "qwen2", "sliding_window": 1024}, 8192),
        ({"model_type": "qwen2", "sliding_window": 1024, "use_sliding_window": True}, 1024),
        ({"model_type": "llama"}, 8192),
    ],
    ids=str,
)
def test_a_sliding_window_ends_what_is_counted(said: dict[str, Any], positions: int) -> None:
    config = SMOLLM2 | {"num_attention_heads": 24, "hidden_size": 768, "num_key_value_heads": 8}
    shape = read_shape(config | said, "mine")
    assert (shape.positions, shape.span) == (8192, positions)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 4}, "'num_attention_heads' (= 9) must be divisible by"),
        ({"num_key_value_heads": 0}, "'num_key_value_heads' (= 0) must be an integer >= 1"),
        ({"hidden_size": 577}, "'hidden_size' (= 577) must be divisible by"),
        ({"head_dim": 7}, "heads of 7 channels have one without a partner"),
        ({"head_dim": "64"}, "'head_dim' (= '64') must be an integer >= 1"),
        ({"hidden_act": "gelu"}, "'hidden_act' (= 'gelu') has no counting rule; supported: 'silu'"),
        ({"vocab_size": None}, "'vocab_size' (= None) must be an integer >= 1"),
    ],
    ids=str,
)
def test_what_no_llama_can_be_is_named(changes: dict[str, Any], said: str) -> None:
    said = refused(ShapeError, read_shape, SMOLLM2 | changes, "mine")
    assert said.startswith("model 'mine': ")
    assert said in said


def test_the_config_that_transformers_writes_is_read(
    tiny: Callable[[str], PreTrainedModel],
) -> None:
    shape = read_shape(tiny("mistral").config.to_dict(), "tiny")
    assert (shape.heads, shape.kv_heads, shape.head_width, shape.positions) == (4, 2, 12, 64)
    assert (shape.query_width, shape.kv_width, shape.model_type) == (48, 24, "mistral")
    assert not shape.tied
    assert read_shape(tiny("qwen2").config.to_dict(), "tiny").tied
