from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    GPT2LMHeadModel,
    PreTrainedModel,
)
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.nemotron import modeling_nemotron

from energy import (
    Attention,
    Conventions,
    Counts,
    ExposeError,
    Levels,
    MatMul,
    check_against_fvcore,
    count_pass,
)
from energy import exposed_attention as exposed
from energy.meter.crosscheck import Disagreement
from hwmodels import Op


@pytest.fixture
def input_ids() -> Tensor:
    return torch.randint(0, 101, (2, 7), generator=torch.Generator().manual_seed(1))


def count(
    model: GPT2LMHeadModel, input_ids: Tensor, attention: Attention = Attention.FULL
) -> Counts:
    return count_pass(
        model, lambda: model(input_ids), variant="asa", conventions=Conventions(attention)
    )


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_fvcore_agrees_row_by_row(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor, implementation: str
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        assert check_against_fvcore(tiny_gpt2, input_ids, counts) == []
    assert counts.dense_macs > 0


@pytest.mark.parametrize("name", ["lm_head", "transformer.h.1.attn.core.scores"])
def test_a_count_that_was_tampered_with_is_reported(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor, name: str
) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        layers = tuple(
            replace(x, tally=x.tally._replace(dense_macs=x.tally.dense_macs + 1))
            if x.name == name
            else x
            for x in counts.layers
        )
        found = check_against_fvcore(tiny_gpt2, input_ids, replace(counts, layers=layers))
    honest = counts.layer(name).tally.dense_macs
    assert found == [
        Disagreement(name, honest + 1, honest),
        Disagreement("(total)", counts.dense_macs + 1, counts.dense_macs),
    ]


def test_a_layer_that_was_left_out_shows_in_the_total(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        [missing] = [x for x in counts.layers if x.name == "lm_head"]
        rest = replace(counts, layers=tuple(x for x in counts.layers if x is not missing))
        found = check_against_fvcore(tiny_gpt2, input_ids, rest)
    assert [row.layer for row in found] == ["(total)"]
    assert found[0].theirs - found[0].ours == missing.tally.dense_macs


def test_fvcore_counts_full_attention(tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids, Attention.CAUSAL)
        found = {row.layer: row for row in check_against_fvcore(tiny_gpt2, input_ids, counts)}
    scores = found["transformer.h.0.attn.core.scores"]
    # 2 sequences x width 32; 1 + .. + 7 of 7 x 7 pairs
    assert (scores.ours, scores.theirs) == (2 * 32 * 28, 2 * 32 * 49)
    assert len(found) == 5  # scores and mix of 2 layers, and the total


def test_fvcore_refuses_a_kernel_that_it_cannot_see_into(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    with exposed(tiny_gpt2, fused=True):
        counts = count(tiny_gpt2, input_ids)
        with pytest.raises(RuntimeError, match=r"cannot see into aten::scaled_dot.*fused=False"):
            check_against_fvcore(tiny_gpt2, input_ids, counts)


def test_the_witness_leaves_the_train_flags_alone(
    tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor
) -> None:
    tiny_gpt2.train()
    tiny_gpt2.lm_head.eval()
    with exposed(tiny_gpt2, fused=False):
        flags = [module.training for module in tiny_gpt2.modules()]
        counts = count(tiny_gpt2, input_ids)
        assert check_against_fvcore(tiny_gpt2, input_ids, counts) == []
        assert [module.training for module in tiny_gpt2.modules()] == flags


def test_torch_counts_twice_as_many_flops(tiny_gpt2: GPT2LMHeadModel, input_ids: Tensor) -> None:
    with exposed(tiny_gpt2, fused=False):
        counts = count(tiny_gpt2, input_ids)
        with FlopCounterMode(display=False) as theirs:
            tiny_gpt2(input_ids)
    assert theirs.get_total_flops() == 2 * counts.dense_macs


class Folded(nn.Module):
    """Two heads of scores whose 3 time steps are summed before they are multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(101, 8)
        self.scores = MatMul("left", levels=Levels.TERNARY, accumulate=True)

    def forward(self, input_ids: Tensor, use_cache: bool = False) -> SimpleNamespace:
        keys = self.embed(input_ids)
        events = keys.sign().expand(3, *keys.shape)
        return SimpleNamespace(logits=self.scores(events, keys.mT))


def test_steps_that_are_folded_are_seen_by_the_witness_and_stay_folded(input_ids: Tensor) -> None:
    model = Folded()
    counts = count_pass(model, lambda: model(input_ids), variant="ssa")
    assert counts.dense_macs == 3 * 2 * 7 * 8 * 7  # steps x batch x tokens x width x tokens
    assert check_against_fvcore(model, input_ids, counts) == []
    assert model.scores.unfolded is False


def test_steps_are_folded_again_when_the_witness_fails(input_ids: Tensor) -> None:
    model = Folded()
    counts = count_pass(model, lambda: model(input_ids), variant="ssa")
    with pytest.raises(IndexError):
        check_against_fvcore(model, input_ids + 101, counts)
    assert model.scores.unfolded is False


SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GATED: dict[str, Any] = {"intermediate_size": 48, "num_key_value_heads": 2}


def built(family: str, **sizes: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**SIZES, **sizes})
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model.eval()


#: Until then its attention multiplied in ways of its own, and was refused, or counted as such.
BEFORE_5_13 = pytest.mark.skipif(
    not hasattr(modeling_nemotron, "ALL_ATTENTION_FUNCTIONS"), reason="transformers before 5.13"
)
#: Until then angles were a product of depth 1, which a counter of FLOPs takes for MACs, and Gemma 2
#: left other operations outside of its layers.
SINCE_5_19 = pytest.mark.skipif(
    tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 19),
    reason="transformers before 5.19",
)


@pytest.mark.parametrize(
    ("family", "sizes", "left"),
    [
        ("llama", GATED, set()),
        ("mistral", GATED, set()),
        ("qwen2", GATED, set()),
        ("qwen3", {**GATED, "head_dim": 16}, set()),
        ("smollm3", GATED, set()),
        ("phi3", GATED, set()),
        ("gemma", {**GATED, "head_dim": 8}, set()),
        # caps its logits
        pytest.param(
            "gemma2", {**GATED, "head_dim": 8}, {"sub", "div", "tanh", "mul"}, marks=SINCE_5_19
        ),
        ("stablelm", GATED, set()),
        ("olmo2", GATED, set()),
        ("gpt_neox", {"intermediate_size": 48}, set()),
        ("phi", {"intermediate_size": 48}, set()),
        pytest.param("nemotron", GATED, set(), marks=BEFORE_5_13),
        ("opt", {"ffn_dim": 48, "word_embed_proj_dim": 32}, {"cumsum", "mul", "sub"}),  # positions
    ],
)
def test_families_are_counted_exactly(
    family: str, sizes: dict[str, Any], left: set[str], input_ids: Tensor
) -> None:
    model = built(family, **sizes)
    with torch.no_grad():
        own = model(input_ids).logits
    with exposed(model):
        with torch.no_grad():
            assert torch.equal(model(input_ids).logits, own)
        fused = count_pass(model, lambda: model(input_ids), variant="asa")
    with exposed(model, fused=False):
        with torch.no_grad():
            torch.testing.assert_close(model(input_ids).logits, own, atol=1e-5, rtol=0)
        counts = count_pass(model, lambda: model(input_ids), variant="asa")
        assert check_against_fvcore(model, input_ids, counts) == []
    assert fused.layers == counts.layers
    # Two additions to the stream in each of 2 layers; OPT adds learned positions as well.
    assert sum(row.kind == "Residual" for row in counts.layers) == 4 + (family == "opt")
    # All but the numbering of positions and what is named above is counted.
    assert set(counts.uncounted) == left | ({"cumsum"} if family == "opt" else {"add"})


def test_angles_written_as_a_matrix_product_are_no_disagreement(
    input_ids: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # transformers up to 5.18: 7 positions x 4 frequencies as a product of depth 1, "28 MACs".
    def forward(layer: Any, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        angles = (layer.inv_freq[None, :, None] @ position_ids[:, None, :].float()).mT
        twice = torch.cat((angles, angles), -1)
        return twice.cos(), twice.sin()

    model = built("llama", **GATED)
    monkeypatch.setattr(LlamaRotaryEmbedding, "forward", forward)
    with exposed(model, fused=False):
        counts = count_pass(model, lambda: model(input_ids), variant="asa")
        assert check_against_fvcore(model, input_ids, counts) == []
    assert counts.layer("model.rotary_emb").tally.dense_macs == 0


def closed_form(model: PreTrainedModel, queries: int, keys: int) -> int:
    """MACs of a Llama: projections, gated feed-forward and head per token, products per pair."""
    c = model.config
    width, head = c.hidden_size, c.hidden_size // c.num_attention_heads
    heads, shared = c.num_attention_heads, c.num_key_value_heads
    layer = width * (heads + 2 * shared) * head + heads * head * width
    layer += 3 * width * c.intermediate_size
    per_token = c.num_hidden_layers * layer + width * c.vocab_size
    return int(queries * per_token + c.num_hidden_layers * 2 * heads * head * queries * keys)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2"])
@pytest.mark.parametrize("shared", [1, 2, 4])
@pytest.mark.parametrize("tokens", [1, 9])
def test_macs_of_a_prefill_in_closed_form(family: str, shared: int, tokens: int) -> None:
    model = built(family, **{**GATED, "num_key_value_heads": shared})
    words = torch.ones(3, tokens, dtype=torch.long)
    with exposed(model):
        counts = count_pass(model, lambda: model(words), variant="asa")
    assert counts.dense_macs == counts.total(Op.MAC) == 3 * closed_form(model, tokens, tokens)
    # Keys and values of each of 2 layers, 3 sequences and cached heads, 8 channels
    assert counts.total(Op.KV_WRITE) == 2 * 2 * 3 * tokens * shared * 8


@pytest.mark.parametrize("shared", [1, 2, 4])
def test_macs_of_a_decoded_token_in_closed_form(shared: int) -> None:
    model = built("llama", **{**GATED, "num_key_value_heads": shared})
    with torch.no_grad():
        cache = model(torch.ones(3, 8, dtype=torch.long), use_cache=True).past_key_values
    word = torch.ones(3, 1, dtype=torch.long)
    with exposed(model):
        counts = count_pass(model, lambda: model(word, past_key_values=cache), variant="asa")
    assert counts.dense_macs == 3 * closed_form(model, 1, 9)  # itself included
    assert counts.total(Op.KV_READ) == 2 * 2 * 3 * 9 * shared * 8
    assert counts.total(Op.KV_WRITE) == 2 * 2 * 3 * 1 * shared * 8


def test_one_token_of_a_llama_by_hand() -> None:
    # 2 layers x (32 x 8 x 8 of Q, K, V + 32 x 32 + 3 x 32 x 48) + 32 x 101 = 18592 per token;
    # 2 layers x 2 products x 4 heads x 8 channels x 1 pair = 128
    model = built("llama", **GATED)
    assert closed_form(model, 1, 1) == 18592 + 128


@pytest.mark.parametrize("attention", Attention)
def test_an_encoder_attends_in_both_directions(input_ids: Tensor, attention: Attention) -> None:
    model = BertModel(BertConfig(**SIZES, intermediate_size=48)).eval()

    def counted(*, fused: bool) -> Counts:
        with exposed(model, fused=fused):
            with torch.no_grad():
                states = model(input_ids).last_hidden_state
            torch.testing.assert_close(states, own, atol=1e-5, rtol=0)
            how = Conventions(attention)
            return count_pass(model, lambda: model(input_ids), variant="asa", conventions=how)

    with torch.no_grad():
        own = model(input_ids).last_hidden_state
    counts = counted(fused=True)
    assert counts.layers == counted(fused=False).layers
    # 2 sequences x 4 heads x 7 x 7 pairs, all of them, of 8 channels
    [scores, _] = counts.only(component="scores").layers
    assert scores.ops[Op.MAC] == 2 * 4 * 49 * 8


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("gptj", {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4}),
        ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
        ("mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2}),
        pytest.param("falcon", {"alibi": False}, marks=SINCE_5_19),
        ("gpt_neo", {"num_layers": 2, "attention_types": [[["global"], 2]]}),
    ],
)
def test_a_family_with_products_of_its_own_is_counted_with_rows_that_say_so(
    family: str, sizes: dict[str, Any], input_ids: Tensor
) -> None:
    model = built(family, **sizes)
    with pytest.raises(ExposeError, match="partial=True"), exposed(model):
        pytest.fail("the block must not be entered")
    with exposed(model, partial=True):
        counts = count_pass(model, lambda: model(input_ids), variant="asa", loose=True)
        with FlopCounterMode(display=False) as theirs:
            model(input_ids)
    assert theirs.get_total_flops() == 2 * counts.dense_macs
    found = [x for x in counts.layers if ".(" in x.name]
    assert {x.label.component for x in found} == {"scores", "softmax", "mix"}
    # 2 layers x 2 products of 2 sequences, of 7 x 7 pairs and 32 channels over all heads
    assert sum(x.tally.dense_macs for x in found) == 2 * 2 * 2 * 49 * 32
