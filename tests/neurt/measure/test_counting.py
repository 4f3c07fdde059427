from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from energy import Attention, Conventions
from energy.meter.crosscheck import Disagreement
from hwmodels import Op
from neurt.closed_form.passes import Pass, PlanError
from neurt.closed_form.plan import plan_asa
from neurt.families import read_shape
from neurt.loading import drawn, foreign, memory, models, reading
from neurt.loading.source import ModelError
from neurt.measure import verification
from neurt.measure.counting import run_count
from neurt.measure.verification import VerificationError
from neurt.progress import silent
from neurt.requests.passes import CountRequest, ProfileRequest
from reports.count.run import CountRun

pytestmark = pytest.mark.usefixtures("alone")

LAYERS, WIDTH, HEADS, INNER, WORDS = 2, 32, 4, 48, 101
SIZES: dict[str, Any] = {
    "num_hidden_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "vocab_size": WORDS,
    "max_position_embeddings": 64,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
}
KINDS: dict[str, dict[str, Any]] = {
    "opt": {"word_embed_proj_dim": WIDTH, "ffn_dim": INNER},
    "gpt_neox": {},
    "phi": {},
    "gemma": {"head_dim": 8, "num_key_value_heads": HEADS},
}
#: Matrices of the feed-forward: Gemma's is gated.
MATRICES = {"opt": 2, "gpt_neox": 2, "phi": 2, "gemma": 3}


class Letters:
    """A tokenizer of 101 entries: one token for each character."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) % WORDS for letter in text]


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CountRun]:
    """`count("phi", seq_len=.., sizes={..})`: of a tiny random model."""
    for where in (foreign, models):
        monkeypatch.setattr(where, "tokenizer_for", lambda *_, **__: Letters())

    def run(
        kind: str,
        sizes: dict[str, Any] | None = None,
        say: Callable[[str], None] = silent,
        **fields: Any,
    ) -> CountRun:
        config = AutoConfig.for_model(kind, **(SIZES | KINDS.get(kind, {}) | (sizes or {})))
        config.save_pretrained(tmp_path / kind)
        asked = {"model": str(tmp_path / kind), "hw": ("45nm",), "out": tmp_path / "out"}
        asked["weights"] = "random"
        return run_count(ProfileRequest(**(asked | {"seq_len": 7} | fields)), say=say)

    return run


def closed_form(kind: str, queries: int, keys: int) -> int:
    """MACs of one sequence: projections to and from attention, feed-forward, head, pairs."""
    layer = 4 * WIDTH * WIDTH + MATRICES[kind] * WIDTH * INNER
    return queries * (LAYERS * layer + WIDTH * WORDS) + LAYERS * 2 * WIDTH * queries * keys


@pytest.mark.parametrize("kind", KINDS)
def test_macs_of_a_prefill(kind: str, count: Callable[..., CountRun]) -> None:
    counts = count(kind, batch=2, windows=3, verify=True).counts
    assert counts.dense_macs == counts.total(Op.MAC) == 2 * 3 * closed_form(kind, 7, 7)
    assert (counts.variant, counts.phase, counts.tokens) == ("asa", "prefill", 2 * 3 * 7)
    assert (counts.batch, counts.weights, counts.model) == (2, "random(seed=0)", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_macs_of_a_decoded_token(kind: str, count: Callable[..., CountRun]) -> None:
    counts = count(kind, phase="decode", context=9, batch=2, verify=True).counts
    assert counts.dense_macs == 2 * closed_form(kind, 1, 9)
    # Keys and values of 2 layers, 2 sequences, 9 tokens, 32 channels
    assert counts.total(Op.KV_READ) == 2 * 2 * 2 * 9 * 32
    assert (counts.phase, counts.tokens) == ("decode@9", 2)


@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (1, 9)])
def test_opt_is_counted_as_it_is_planned(
    attention: Attention, queries: int, keys: int, count: Callable[..., CountRun], tmp_path: Path
) -> None:
    phase = "prefill" if queries == keys else "decode"
    run = count("opt", phase=phase, context=keys, batch=2, attention=attention)
    shape = read_shape(AutoConfig.from_pretrained(tmp_path / "opt").to_dict(), "opt")
    planned = plan_asa(shape, Pass(2, queries, keys), Conventions(attention))
    assert {row.name: row.tally for row in run.counts.layers} == {
        row.name: row.tally for row in planned.layers
    }
    assert run.unnamed == ()


def test_what_has_no_name_is_listed_by_pattern(count: Callable[..., CountRun]) -> None:
    run = count("biogpt")
    found = {group.pattern: (group.layers, group.macs) for group in run.unnamed}
    # 7 tokens, in each of 2 layers 32 x 32 of the projection from attention
    assert found["biogpt.layers.*.self_attn.out_proj"] == (2, 2 * 7 * 32 * 32)
    assert "biogpt.layers.*.self_attn.core.scores" not in found
    assert "output_projection" not in found
    # All layers but the products of attention and the head
    share = 7 * LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    assert sum(macs for _, macs in found.values()) == share
    assert run.counts.uncounted["add"] == 1  # positions are numbered; residuals have rows


GPT_NEO = {"num_layers": 2, "num_heads": 4, "attention_types": [[["global"], 2]]}


@pytest.mark.parametrize(("attention", "pairs"), [(Attention.FULL, 49), (Attention.CAUSAL, 28)])
def test_an_attention_of_its_own_is_counted_in_rows_that_say_so(
    attention: Attention, pairs: int, count: Callable[..., CountRun]
) -> None:
    run = count("gpt_neo", GPT_NEO, attention=attention)
    for part in ("scores", "mix"):
        row = run.counts.layer(f"transformer.h.1.attn.attention.({part})")
        # 4 heads of 8 channels, 7 tokens: all 49 pairs, or 7 x 8 / 2
        assert row.ops[Op.MAC] == 32 * pairs
        assert row.ops[Op.KV_READ] == 32 * 7
        assert (row.label.block, row.label.component, row.label.depth) == ("attention", part, 1)
    assert "_softmax" not in run.counts.uncounted


def test_a_variant_that_its_family_cannot_plan_is_counted(count: Callable[..., CountRun]) -> None:
    run = count("opt", {"activation_function": "silu"}, verify=True)
    assert [*run.unnamed] == []
    assert run.settings["shape"] is None


def test_the_settings_say_what_was_chosen(count: Callable[..., CountRun]) -> None:
    run = count("llama", phase="decode", context=5, seed=3, zeros=True)
    assert run.settings["model_type"] == "llama"
    assert run.settings["shape"]["kv_heads"] == HEADS  # type: ignore[index]
    chosen = {key: run.settings[key] for key in ("phase", "context", "seed", "zeros", "text")}
    assert chosen == {
        "phase": "decode",
        "context": 5,
        "seed": 3,
        "zeros": True,
        "text": "Moby-Dick, chapters 1 and 3 (packaged)",
    }
    assert "spiking" not in run.settings
    assert run.counts.zeros_measured


@pytest.mark.parametrize("kind", ["opt", "gpt_neo", "xglm"])
def test_more_tokens_than_learned_positions(kind: str, count: Callable[..., CountRun]) -> None:
    sizes = {"gpt_neo": GPT_NEO}.get(kind, {})
    if kind == "xglm":  # which computes its table, as long as need be
        assert count(kind, {"d_model": 32, "ffn_dim": 48}, seq_len=65).counts.dense_macs > 0
        return
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions"):
        count(kind, sizes, seq_len=65)


#: Rotary positions, those of a table that is computed (GPT-J, CodeGen), and scores that fall with
#: distance up to a longest sequence (MPT).
ENDLESS: dict[str, dict[str, Any]] = {
    "llama": {},
    "phi": {},
    "gpt_neox": {},
    "gptj": {"rotary_dim": 4},
    "codegen": {"rotary_dim": 4},
    "mpt": {"n_layers": LAYERS, "n_heads": HEADS, "d_model": WIDTH, "max_seq_len": 64},
}


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("fits", [True, False])
def test_no_count_depends_on_positions_that_nobody_learned(
    kind: str, fits: bool, count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fits:
        monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    said: list[str] = []
    found = count(kind, ENDLESS[kind], said.append, seq_len=70).counts
    assert [line for line in said if "positions" in line] == [
        f"70 tokens are more than the 64 positions that the configuration of '{found_in(said)}' "
        "names: no count depends on them, but what it answers there may."
    ]
    # All pairs of 70 tokens, in Q K^T and in A V.
    products = found.only(component="scores").dense_macs, found.only(component="mix").dense_macs
    assert products == (LAYERS * WIDTH * 70**2, LAYERS * WIDTH * 70**2)


def found_in(said: list[str]) -> str:
    """The model that a line names."""
    return next(line for line in said if "positions" in line).split("'")[1]


@pytest.mark.parametrize("rotation", ["linear", "dynamic", "yarn", "llama3", "longrope"])
def test_no_count_of_sizes_depends_on_the_rotation(
    rotation: str, count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = count("llama").counts.layers
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    scaling = {"rope_type": rotation, "rope_theta": 1e4, "factor": 2.0}
    scaling |= {"original_max_position_embeddings": 32, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
    assert count("llama", {"rope_parameters": scaling}).counts.layers == plain


def test_a_model_that_looks_at_values_is_not_counted_from_sizes(
    count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    monkeypatch.setattr(reading, "free_bytes", lambda: 1000)
    sizes = {"num_local_experts": 4, "kv_channels": 8, "num_hidden_layers": 2}
    with pytest.raises(
        ModelError, match=r"looks at values, and its weights \([\d,]+ bytes\) do not"
    ):
        count("jetmoe", sizes)


def test_what_the_code_of_a_model_refuses_is_one_line(count: Callable[..., CountRun]) -> None:
    sizes = {"axial_pos_shape": (8, 8), "axial_pos_embds_dim": (16, 16), "is_decoder": True}
    sizes |= {"attn_layers": ["local", "local"], "local_attn_chunk_length": 4, "pad_token_id": 0}
    with pytest.raises(ModelError, match=r"cannot run 96 tokens: Sequence Length: 96 has to be"):
        count("reformer", sizes, seq_len=96)


def test_a_model_without_a_key_value_cache_is_not_decoded(count: Callable[..., CountRun]) -> None:
    with pytest.raises(PlanError, match=r"RwkvForCausalLM.* use --phase prefill"):
        count("rwkv", {"attention_hidden_size": 32}, phase="decode", context=9)


def test_a_converted_model_is_no_analog_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a converted model; give its analog one"):
        run_count(ProfileRequest(model="gpt2-nano-spiking", hw=("45nm",), out=tmp_path))


def test_a_second_witness_that_disagrees(
    count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [Disagreement("(total)", 5, 4)]
    monkeypatch.setattr(verification, "check_against_fvcore", lambda *_: wrong)
    with pytest.raises(VerificationError, match=r"fvcore counts 4 MACs in layer '\(total\)'"):
        count("phi", verify=True)


def test_a_witness_that_cannot_follow_is_replaced(
    count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("cannot trace\nmore")

    monkeypatch.setattr(verification, "check_against_fvcore", fails)
    assert count("phi", verify=True).counts.dense_macs == closed_form("phi", 7, 7)
    monkeypatch.setattr(verification, "macs_by_torch", lambda *_: (5, 6, ()))
    with pytest.raises(VerificationError, match=r"counts 5 MACs .*no witness: cannot trace$"):
        count("phi", verify=True)


#: What fvcore does not see, because it is no module or because its tracer stops there.
UNSEEN: dict[str, tuple[dict[str, Any], str]] = {
    "mixtral": ({"num_key_value_heads": 2}, "experts.gate_up_proj' and its like are no modules"),
    "bloom": ({"n_layer": 2, "n_head": 4}, "(scores)' and its like are no modules"),
    "falcon": ({}, "fvcore cannot see into aten::scaled_dot_product_attention"),
    "llama4_text": ({"head_dim": 8, "num_key_value_heads": 2}, "which transformers runs otherwise"),
}


@pytest.mark.parametrize("kind", UNSEEN)
def test_a_decoder_that_one_witness_cannot_see_is_verified_by_another(
    kind: str, count: Callable[..., CountRun]
) -> None:
    sizes, unseen = UNSEEN[kind]
    said: list[str] = []
    run = count(kind, sizes, verify=True, say=said.append)
    assert unseen in said[-1]
    assert "torch's FlopCounterMode, on eager attention, agree on the MACs" in said[-1]
    assert run.counts.dense_macs > 0


@pytest.mark.parametrize("kind", ["llama", "phi"])
def test_random_weights_are_counted_without_a_tokenizer(tmp_path: Path, kind: str) -> None:
    # 101 entries are too few for GPT-2's tokenizer, and no dense count depends on an id.
    AutoConfig.for_model(kind, **SIZES).save_pretrained(tmp_path / kind)
    asked = {"model": str(tmp_path / kind), "hw": ("45nm",), "out": tmp_path / "out"}
    run = run_count(CountRequest(**asked, weights="random", seq_len=7))
    # Of 2 layers: 4 projections of 32 x 32, 2 or 3 matrices of 32 x 48, 2 products of 7 x 7 x 32
    # for 7 tokens; the head of 32 x 101.
    matrices = {"llama": 3, "phi": 2}[kind]
    layer = 7 * (4 * 32 * 32 + matrices * 32 * 48) + 2 * 7 * 7 * 32
    assert run.counts.dense_macs == 2 * layer + 7 * 32 * 101
    assert run.settings["text"].endswith(", ids of GPT-2 modulo 101")
    with pytest.raises(ModelError, match=r"has no model\.safetensors; put them there"):
        run_count(CountRequest(**asked, seq_len=7))


@pytest.mark.parametrize("kind", ["llama", "phi"])
def test_large_weights_of_which_no_value_is_asked_are_not_drawn(
    kind: str, count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = count(kind).counts
    monkeypatch.setattr(drawn, "LARGE_BYTES", 1000)
    found = count(kind).counts
    assert found.layers == expected.layers
    assert (found.weights, expected.weights) == ("none", "random(seed=0)")
    for flag in ("zeros", "verify"):
        assert count(kind, **{flag: True}).counts.weights == "random(seed=0)"


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2}),
        ("jetmoe", {"num_local_experts": 4, "kv_channels": 8}),  # whose code looks at values
    ],
)
def test_what_values_choose_is_drawn(
    kind: str,
    sizes: dict[str, Any],
    count: Callable[..., CountRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawn, "LARGE_BYTES", 1000)
    assert count(kind, sizes).counts.weights == "random(seed=0)"


@pytest.mark.parametrize("kind", ["llama", "phi", "gemma"])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("attention", Attention)
def test_weights_that_do_not_fit_are_not_needed(
    kind: str,
    phase: str,
    attention: Attention,
    count: Callable[..., CountRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how = {"phase": phase, "context": 9, "attention": attention}
    expected = count(kind, **how).counts
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    said: list[str] = []
    found = count(kind, say=said.append, **how).counts
    assert found.layers == expected.layers
    assert (found.weights, expected.weights) == ("none", "random(seed=0)")
    assert "counted from sizes alone" in said[-1]
    for flag in ("zeros", "verify"):
        with pytest.raises(PlanError, match=f"--{flag} needs values"):
            count(kind, **{flag: True})


def test_experts_that_do_not_fit_are_expected(
    count: Callable[..., CountRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    sizes = {"num_local_experts": 4, "num_key_value_heads": 2}
    counts = count("mixtral", sizes, phase="decode", context=9, batch=2).counts
    # 2 tokens choose 2 of 4 experts each: 4 (1 - 1/4) of 48 x 32
    row = counts.layer("model.layers.0.mlp.experts.down_proj")
    assert row.ops[Op.WEIGHT_READ] == 3 * 48 * 32
