from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.counts import Counts
from energy.formulas import Attention, Conventions
from hwmodels import Op
from hwmodels.wholechip import Kind
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.serving import PlannedModel
from neurt.closed_form.sized import SizedModel
from neurt.families import Shape, read_shape
from neurt.measure.served_models import served_model

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
}
#: Of a layer: Q and O of 64 x 64, K and V of 64 x 32, three matrices of 64 x 96; and the head.
LAYER = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96
WEIGHTS = 2 * LAYER + 64 * 1000


@pytest.fixture
def shape() -> Shape:
    return read_shape(CONFIG, "tiny")


def test_a_step_by_hand(shape: Shape) -> None:
    # 5 sequences, prompts of 10 and answers of 4 tokens: with each step 5 / 4 requests end. Each
    # has a prefill of 10 tokens, and 3 decodes at contexts 11, 12 and 13.
    step = PlannedModel(shape).step(5, 10, 4, 2)
    assert (step.kind, step.sequences, step.gpus) == (Kind.DENSE, 5, 2)
    assert step.weight_bytes == 2 * WEIGHTS
    assert step.tokens == pytest.approx(5 / 4 * 13)
    assert step.context == 12
    assert (step.sublayers, step.width, step.expert_tokens) == (4, 64, 0)
    # Attention: Q K^T and A V, 64 MACs each for a pair and layer; causal pairs of 10 tokens: 55.
    # The head makes one row of the prompt.
    decoded = 3 * WEIGHTS + 2 * 2 * 64 * (11 + 12 + 13)
    prompt = 10 * 2 * LAYER + 64 * 1000 + 2 * 2 * 64 * 55
    assert step.macs == pytest.approx(5 / 4 * (decoded + prompt))
    # K and V of 32 values in each of 2 layers, read up to the context, and one written.
    cached = 2 * 2 * 32 * (11 + 12 + 13 + 3 + 10 + 10)
    assert step.cache_bytes == pytest.approx(5 / 4 * 2 * cached)


def test_activations_are_those_of_the_plan_without_the_core_of_attention(shape: Shape) -> None:
    step = PlannedModel(shape).step(1, 1, 2, 1)

    def moved(counts: object) -> float:
        rows = [x for x in counts.layers if x.label.component not in ("scores", "softmax", "mix")]
        return sum(x.ops[Op.ACTIVATION_READ] + x.ops[Op.ACTIVATION_WRITE] for x in rows)

    both = moved(plan_asa(shape, prefill(1))) + moved(plan_asa(shape, decode(2)))
    assert step.activation_bytes == pytest.approx(both / 2 * 2)  # half a request, 2 bytes a value


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 30))
def test_the_mean_over_an_answer_is_that_of_its_passes(prompt: int, output: int) -> None:
    shape = read_shape(CONFIG, "tiny")
    step = PlannedModel(shape).step(output, prompt, output, 1)  # one request ends with each step
    passes = [decode(context) for context in range(prompt + 1, prompt + output)]
    counts = [plan_asa(shape, x) for x in passes]
    first = plan_asa(shape, prefill(prompt), Conventions(Attention.CAUSAL))
    unused = (prompt - 1) * 64 * 1000  # rows of the head
    macs = sum(x.total(Op.MAC) for x in counts) + first.total(Op.MAC) - unused
    assert step.macs == pytest.approx(macs)
    kv = sum(x.total(Op.KV_READ, Op.KV_WRITE) for x in (*counts, first))
    assert step.cache_bytes == pytest.approx(2 * kv)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 40))
def test_windows_are_taken_off_token_by_token(prompt: int, output: int) -> None:
    # Every second layer sees 16 tokens: contexts on both sides of it are in an answer.
    windowed = CONFIG | {
        "model_type": "qwen3",
        "head_dim": 16,
        "use_sliding_window": True,
        "sliding_window": 16,
        "max_window_layers": 1,
    }
    shape = read_shape(windowed, "tiny")
    step = PlannedModel(shape).step(output, prompt, output, 1)
    counts = [plan_asa(shape, decode(x)) for x in range(prompt + 1, prompt + output)]
    counts.append(plan_asa(shape, prefill(prompt), Conventions(Attention.CAUSAL)))
    kv = sum(x.total(Op.KV_READ, Op.KV_WRITE) for x in counts)
    assert step.cache_bytes == pytest.approx(2 * kv)
    # One layer sees all, the other 16 at most: 2 x 64 MACs for a pair.
    seen = sum(x + min(x, 16) for x in range(prompt + 1, prompt + output))
    causal = sum(x + min(x, 16) for x in range(1, prompt + 1))
    linear = (output - 1) * WEIGHTS + prompt * 2 * LAYER + 64 * 1000
    assert step.macs == pytest.approx(linear + 2 * 64 * (seen + causal))


LATENT = {
    **CONFIG,
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 6,
    "first_k_dense_replace": 2,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "n_shared_experts": 1,
    "n_group": 2,
    "topk_group": 1,
}


def test_latent_attention_is_decoded_without_its_expansion() -> None:
    model = PlannedModel(read_shape(LATENT, "tiny"))
    near, far = model._at(10), model._at(30)
    # Each position more costs 4 heads a score over 16 + 4 entries and a mix of 16, in 2 layers.
    assert far.macs - near.macs == 20 * 2 * 4 * (20 + 16)
    # The cache holds 16 + 4 entries of 2 bytes for each, which all heads share.
    assert far.cache_bytes - near.cache_bytes == 20 * 2 * 20 * 2
    assert far.activation_bytes == near.activation_bytes
    # Queries through W_UK (8 x 16) and results through W_UV (16 x 6) in each head; the rest is that
    # of the plan without the expansion of 16 x 4 (8 + 6) for each of 10 positions.
    plan = plan_asa(model.shape, decode(10))
    core = 10 * 4 * (8 + 4 + 6)  # scores and mix with expanded keys and values
    expanded = 10 * 16 * 4 * (8 + 6)
    absorbed = 4 * (8 * 16 + 16 * 6) + 10 * 4 * (20 + 16)
    assert near.macs == plan.total(Op.MAC) + 2 * (absorbed - expanded - core)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 30))
def test_an_answer_of_latent_attention_is_absorbed_at_every_context(
    prompt: int, output: int
) -> None:
    # A plan of one token without a past expands its latent vector, and must not bend the line.
    model = PlannedModel(read_shape(LATENT, "tiny"))
    step = model.step(output, prompt, output, 1)
    passes = [model._at(context) for context in range(prompt + 1, prompt + output)]
    first = model._prompt(prompt)
    for name in ("macs", "cache_bytes", "activation_bytes"):
        each = sum(getattr(one, name) for one in passes) + getattr(first, name)
        assert getattr(step, name) == pytest.approx(each)


def test_every_gpu_holds_the_latent_vectors() -> None:
    one, four = (PlannedModel(read_shape(LATENT, "tiny")).step(5, 10, 4, n) for n in (1, 4))
    assert four.cache_bytes == pytest.approx(4 * one.cache_bytes)


def test_widths_of_weights_and_of_the_cache(shape: Shape) -> None:
    narrow = PlannedModel(shape, weight_bits=8, cache_bits=8).step(5, 10, 4, 1)
    wide = PlannedModel(shape).step(5, 10, 4, 1)
    assert narrow.weight_bytes == wide.weight_bytes / 2
    assert narrow.cache_bytes == wide.cache_bytes / 2


def test_more_gpus_than_cached_heads_hold_some_of_them_twice(shape: Shape) -> None:
    two, four = (PlannedModel(shape).step(5, 10, 4, gpus) for gpus in (2, 4))  # 2 cached heads
    assert four.cache_bytes == pytest.approx(2 * two.cache_bytes)
    assert four.macs == two.macs


def test_a_mean_length_lies_between_two_whole_ones(shape: Shape) -> None:
    model = PlannedModel(shape)
    low, middle, high = (model.step(4, prompt, 10, 1).macs for prompt in (20, 20.5, 21))
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2, rel=1e-6)


def test_an_answer_of_one_token_is_a_prompt_alone(shape: Shape) -> None:
    step = PlannedModel(shape).step(2, 10, 1, 1)
    assert step.tokens == 20
    assert step.macs == pytest.approx(2 * (10 * 2 * LAYER + 64 * 1000 + 2 * 2 * 64 * 55))


def test_explicit_sizes_give_nearly_what_a_plan_gives(shape: Shape) -> None:
    planned = PlannedModel(shape).step(5, 100, 400, 1)
    moved = PlannedModel(shape).step(1, 1, 2, 1).activation_bytes
    sized = SizedModel(
        weight_bytes=2 * WEIGHTS,
        cache_bytes=2 * 2 * 2 * 32,
        macs=WEIGHTS,
        attention_macs=2 * 2 * 64,
        activation_bytes=moved,
        sublayers=4,
        width=64,
    ).step(5, 100, 400, 1)
    for name in ("weight_bytes", "tokens", "sublayers", "width", "context"):
        assert getattr(sized, name) == pytest.approx(getattr(planned, name), rel=2e-3)
    assert sized.cache_bytes == pytest.approx(planned.cache_bytes, rel=2e-3)
    assert sized.macs == pytest.approx(planned.macs, rel=0.2)  # the head has a row of each token


def test_a_state_is_read_and_written_for_each_token_of_an_answer() -> None:
    sizes = dict.fromkeys(("weight_bytes", "macs", "attention_macs", "activation_bytes"), 1.0)
    model = SizedModel(**sizes, cache_bytes=0, sublayers=1, width=1, state_bytes=30)
    step = model.step(4, 5, 8, 1)
    assert step.kind is Kind.RECURRENT
    assert step.cache_bytes == pytest.approx(4 / 8 * 7 * 30)


@pytest.fixture
def recurrent() -> Shape:
    config = {
        "model_type": "nemotron_h",
        "vocab_size": 100,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "mamba_num_heads": 4,
        "mamba_head_dim": 16,
        "ssm_state_size": 8,
        "n_groups": 2,
        "conv_kernel": 4,
        "hybrid_override_pattern": "M-*",
    }
    return read_shape(config, "tiny")


def test_states_of_a_recurrence_have_four_bytes_whatever_the_cache_has(recurrent: Shape) -> None:
    # An answer of two tokens is a prefill of 10 and a decode at context 11; one request ends with
    # each step. A state of 64 x 8 in FP32, three rows of 96 that a convolution keeps; K and V of
    # 16. Each is read and written in both passes, of K and V 10 and 11 read, 10 and 1 written.
    states, rows, cached = 2 * 2 * 64 * 8, 2 * 2 * 3 * 96, 2 * 16 * (10 + 11 + 10 + 1)
    for bits in (16, 8):
        step = PlannedModel(recurrent, cache_bits=bits).step(2, 10, 2, 1)
        assert step.cache_bytes == 4 * states + bits / 8 * (rows + cached)
    # 64 channels, B and C of 2 x 8 each: 96 are convolved, 64 + 96 + 4 made of 32.
    weights = 32 * (164 + 64) + 32 * (2 * 32 + 2 * 16) + 2 * 32 * 48 + 100 * 32
    kernels = 4 * 96  # of the convolution
    assert PlannedModel(recurrent).step(1, 10, 2, 1).weight_bytes == 2 * (weights + kernels)
    assert step.kind is Kind.RECURRENT


def test_what_is_inside_a_recurrence_stays_on_the_chip(recurrent: Shape) -> None:
    step = PlannedModel(recurrent).step(1, 1, 2, 1)

    def moved(counts: Counts) -> float:
        inside = ("scan", "scores", "softmax", "mix")
        rows = [x for x in counts.layers if x.label.component not in inside]
        rows = [x for x in rows if not x.name.endswith("mixer.act") or ".1." in x.name]
        return sum(x.ops[Op.ACTIVATION_READ] + x.ops[Op.ACTIVATION_WRITE] for x in rows)

    both = moved(plan_asa(recurrent, prefill(1))) + moved(plan_asa(recurrent, decode(2)))
    assert step.activation_bytes == pytest.approx(both / 2 * 2)  # half a request, 2 bytes a value


@pytest.mark.parametrize("name", ["openai/gpt-oss-20b", "Qwen/Qwen3-30B-A3B"])
@pytest.mark.parametrize("batch", [3, 17])
def test_weights_of_chosen_experts_are_those_of_a_plan(name: str, batch: int) -> None:
    served = served_model(name).served
    assert isinstance(served, PlannedModel)
    planned = plan_asa(served.shape, Pass(batch, 1, 1))
    bytes_read = sum(
        row.ops[Op.WEIGHT_READ] * (row.weight_bits or 16) / 8
        for row in served.stored(planned).layers
    )
    # A plan counts whole experts' entries.
    assert served.step(batch, 10, 20, 1).weight_bytes == pytest.approx(bytes_read, rel=1e-6)
