from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
import torch
from builders import refused
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from energy import Attention, Conventions, count_pass, exposed_attention
from hwmodels import Op
from neurt.evaluation.quality import QualityError, compare
from neurt.families import label
from neurt.spiking.config import KeyValue, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import SpikingGPT2LMHeadModel, SpikingLanguageModel
from neurt.text.windows import plan_windows

#: Log-softmax is taken in float32, whose relative spacing is 1.2e-7.
FLOAT32 = 1e-6


@pytest.fixture
def text() -> Tensor:
    return torch.randint(0, 101, (75,), generator=torch.Generator().manual_seed(5))


def unigram(log_p: Tensor, size: float = 1.0, along: int = 0) -> GPT2LMHeadModel:
    # The final norm gives `size` in one channel whatever it gets, so the logits are log_p * size.
    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=len(log_p), n_positions=16)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[along] = size
        model.transformer.wte.weight[:, along] = log_p
    return model


def test_a_copy_of_the_model_changes_nothing(tiny_gpt2: GPT2LMHeadModel, text: Tensor) -> None:
    found = compare(tiny_gpt2, copy.deepcopy(tiny_gpt2), text, window=16, stride=8, batch=4)
    assert found.perplexity_change == 0
    assert found.analog == found.spiking
    assert found.top1_agreement == 1
    assert found.kl_nats == pytest.approx(0, abs=1e-12)
    assert found.cosine_final == pytest.approx(1, abs=1e-12)
    for layer in found.layers:
        for part in ("residual", "attention", "feedforward"):
            assert getattr(layer, f"cosine_{part}") == pytest.approx(1, abs=1e-12)
            assert getattr(layer, f"error_{part}") == 0
    assert [layer.layer for layer in found.layers] == [0, 1]


@pytest.mark.filterwarnings("ignore::energy.meter.spikes.DenseSpikesWarning")  # one-hot states
def test_known_predictions_give_the_closed_forms() -> None:
    p, q = torch.tensor([0.5, 0.25, 0.125, 0.125]), torch.tensor([0.125, 0.5, 0.25, 0.125])
    ids = torch.tensor([3, 0, 0, 1, 2, 0, 1, 0])
    found = compare(unigram(p.log()), unigram(q.log()), ids, window=4, stride=2)
    # Scored are 0 0 1 2 0 1 0. -ln p: 4 x ln 2 + 2 x ln 4 + 1 x ln 8 = 11 ln 2 of 7 tokens;
    # -ln q: 4 x ln 8 + 2 x ln 2 + 1 x ln 4 = 16 ln 2.
    assert found.analog.tokens == found.spiking.tokens == 7
    assert found.analog.perplexity == pytest.approx(2 ** (11 / 7), rel=FLOAT32)
    assert found.spiking.perplexity == pytest.approx(2 ** (16 / 7), rel=FLOAT32)
    assert found.perplexity_change == pytest.approx(2 ** (5 / 7) - 1, rel=FLOAT32)
    # One always guesses 0 (four of seven), the other 1 (two of seven).
    assert found.analog.accuracy == 4 / 7
    assert found.spiking.accuracy == 2 / 7
    assert found.top1_agreement == 0
    # Sum of p ln(p / q) = 0.5 ln 4 - 0.25 ln 2 - 0.125 ln 2 = 0.625 ln 2.
    assert found.kl_nats == pytest.approx(0.625 * math.log(2), rel=FLOAT32)


@pytest.mark.filterwarnings("ignore::energy.meter.spikes.DenseSpikesWarning")  # one-hot states
@pytest.mark.parametrize(("along", "cosine"), [(0, 1.0), (1, 0.0)])
def test_the_cosine_of_the_final_states_is_that_after_the_last_norm(
    along: int, cosine: float
) -> None:
    # Final states are (1, 0, ...) and either (3, 0, ...) or (0, 3, ...).
    log_p = torch.tensor([0.5, 0.25, 0.25]).log()
    found = compare(
        unigram(log_p), unigram(log_p, 3, along), torch.tensor([0, 1, 2, 0, 1]), window=4, stride=2
    )
    assert found.cosine_final == pytest.approx(cosine, abs=1e-12)


@pytest.mark.parametrize(
    ("factor", "cosine", "error"), [(1.5, 1, 0.5), (-1, -1, 2), (1, 1, 0), (0, 0, 1)]
)
@pytest.mark.parametrize(("block", "part"), [("attn", "attention"), ("mlp", "feedforward")])
def test_a_block_that_adds_a_multiple_is_as_far_as_the_multiple(
    tiny_gpt2: GPT2LMHeadModel,
    text: Tensor,
    block: str,
    part: str,
    factor: float,
    cosine: float,
    error: float,
) -> None:
    other = copy.deepcopy(tiny_gpt2)
    with torch.no_grad():
        for parameter in getattr(other.transformer.h[1], block).c_proj.parameters():
            parameter.mul_(factor)
    first, last = compare(tiny_gpt2, other, text, window=16, stride=8).layers
    assert getattr(last, f"cosine_{part}") == pytest.approx(cosine, abs=1e-6)
    assert getattr(last, f"error_{part}") == pytest.approx(error, abs=1e-5)
    assert first.error_residual == first.error_attention == first.error_feedforward == 0
    assert (last.error_residual == 0) is (factor == 1)


def test_blocks_that_both_add_nothing_are_alike(tiny_gpt2: GPT2LMHeadModel, text: Tensor) -> None:
    with torch.no_grad():
        for parameter in tiny_gpt2.transformer.h[0].mlp.c_proj.parameters():
            parameter.zero_()
    found = compare(tiny_gpt2, copy.deepcopy(tiny_gpt2), text, window=16, stride=8).layers[0]
    assert (found.cosine_feedforward, found.error_feedforward) == (1, 0)


def test_without_windows_it_is_the_loop_over_the_tokens(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor
) -> None:
    ids = text[:40]
    found = compare(tiny_gpt2, spiking, ids, window=40, stride=40)
    for model, quality in ((tiny_gpt2, found.analog), (spiking, found.spiking)):
        with torch.no_grad():
            logits = model(ids.unsqueeze(0)).logits[0].double()
        total, right = 0.0, 0
        for position in range(39):
            total -= float(logits[position].log_softmax(-1)[ids[position + 1]])
            right += int(logits[position].argmax()) == int(ids[position + 1])
        assert quality.tokens == 39
        assert quality.nll_nats == pytest.approx(total, rel=FLOAT32)
        assert quality.perplexity == pytest.approx(math.exp(total / 39), rel=FLOAT32)
        assert quality.correct == right


def recipe(model: nn.Module, ids: Tensor, max_length: int, stride: int) -> tuple[float, int]:
    # The sliding window of Hugging Face's documentation, "Perplexity of fixed-length models".
    nll_sum, n_tokens, previous_end = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + max_length, len(ids))
        new = end - previous_end
        inputs = ids[None, begin:end]
        targets = inputs.clone()
        targets[:, :-new] = -100
        valid = int((targets[:, 1:] != -100).sum())  # the loss shifts the labels by one
        if valid:
            with torch.no_grad():
                nll_sum += float(model(inputs, labels=targets).loss) * valid
            n_tokens += valid
        previous_end = end
        if end == len(ids):
            break
    return nll_sum, n_tokens


@pytest.mark.parametrize(
    ("tokens", "window", "stride"),
    [(75, 16, 8), (75, 16, 16), (64, 16, 5), (70, 64, 32), (20, 64, 1), (33, 16, 16), (2, 2, 1)],
)
def test_it_is_the_recipe_of_hugging_face(
    tiny_gpt2: GPT2LMHeadModel,
    spiking: SpikingGPT2LMHeadModel,
    text: Tensor,
    tokens: int,
    window: int,
    stride: int,
) -> None:
    ids = text[:tokens]
    found = compare(tiny_gpt2, spiking, ids, window=window, stride=stride, batch=3)
    for model, quality in ((tiny_gpt2, found.analog), (spiking, found.spiking)):
        nll, scored = recipe(model, ids, window, stride)
        assert quality.tokens == scored
        assert quality.nll_nats == pytest.approx(nll, rel=1e-5)


def test_the_size_of_a_batch_changes_nothing_but_rounding(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor
) -> None:
    one, many = (
        compare(tiny_gpt2, spiking, text, window=16, stride=8, batch=size) for size in (1, 8)
    )
    assert many.analog.nll_nats == pytest.approx(one.analog.nll_nats, rel=FLOAT32)
    assert many.asa.total(Op.MAC) == one.asa.total(Op.MAC)
    assert many.ssa.tokens == one.ssa.tokens


def test_hidden_states_are_those_of_the_library(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor
) -> None:
    ids = text[:32]
    found = compare(tiny_gpt2, spiking, ids, window=32, stride=32)
    with torch.no_grad():
        theirs = [
            model(ids.unsqueeze(0), output_hidden_states=True).hidden_states
            for model in (tiny_gpt2, spiking)
        ]
    # Embeddings, the residual after all layers but the last, and the output of the last norm. The
    # last position predicts nothing that is scored.
    expected = [
        float(torch.cosine_similarity(a[0, :-1].double(), s[0, :-1].double(), dim=-1).mean())
        for a, s in zip(*theirs, strict=True)
    ]
    assert len(expected) == 3
    assert expected[0] == pytest.approx(1)
    assert found.layers[0].cosine_residual == pytest.approx(expected[1], abs=1e-6)
    assert found.cosine_final == pytest.approx(expected[2], abs=1e-6)
    assert found.layers[0].cosine_residual < 1


@pytest.mark.parametrize("attention", Attention)
def test_counts_are_those_of_exactly_the_passes(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor, attention: Attention
) -> None:
    conventions = Conventions(attention)
    found = compare(tiny_gpt2, spiking, text, window=16, stride=8, batch=1, conventions=conventions)
    plan = plan_windows(len(text), 16, 8)

    def passes(model: Any, **how: Any) -> Any:
        return reduce(
            add,
            (
                count_pass(
                    model,
                    lambda one=one: model(text[None, one.start : one.stop], use_cache=False),
                    conventions=conventions,
                    label=label,
                    tokens=one.tokens,
                    **how,
                )
                for one in plan
            ),
        )

    with exposed_attention(tiny_gpt2):
        assert found.asa == passes(tiny_gpt2, variant="asa")
    assert found.ssa == passes(spiking, variant="ssa", timesteps=4)
    assert found.windows == len(plan) == 9
    # Eight windows of 16 tokens, and the last of 75 - 64 = 11.
    assert found.asa.tokens == found.ssa.tokens == 8 * 16 + 11


def test_nothing_is_left_on_the_models(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor
) -> None:
    def state() -> list[Any]:
        return [
            (name, module.training, len(module._forward_hooks), len(module._forward_pre_hooks))
            for model in (tiny_gpt2, spiking)
            for name, module in model.named_modules()
        ]

    spiking.train()  # type: ignore[no-untyped-call]
    before = state(), tiny_gpt2.config._attn_implementation
    compare(tiny_gpt2, spiking, text, window=16, stride=8)
    assert (state(), tiny_gpt2.config._attn_implementation) == before
    with torch.no_grad():
        spiking.transformer.wpe.weight.fill_(float("nan"))
    with pytest.raises(QualityError):
        compare(tiny_gpt2, spiking, text, window=16, stride=8)
    assert (state(), tiny_gpt2.config._attn_implementation) == before


def test_logits_of_no_more_than_one_batch_are_held(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, text: Tensor
) -> None:
    held: list[weakref.ref[Tensor]] = []

    def before(_module: nn.Module, _args: Any) -> None:
        assert [ref for ref in held if ref() is not None] == []

    def after(_module: nn.Module, _args: Any, out: Any) -> None:
        assert not out.logits.requires_grad
        held.append(weakref.ref(out.logits))

    tiny_gpt2.register_forward_pre_hook(before)
    for model in (tiny_gpt2, spiking):
        model.register_forward_hook(after)
    compare(tiny_gpt2, spiking, text, window=16, stride=8, batch=2)
    # Eight whole windows in four batches and a shorter one, for each of two models.
    assert len(held) == 10


def test_progress_counts_windows(tiny_gpt2: GPT2LMHeadModel, text: Tensor) -> None:
    told: list[tuple[int, int]] = []
    other = copy.deepcopy(tiny_gpt2)
    compare(
        tiny_gpt2,
        other,
        text,
        window=16,
        stride=8,
        batch=4,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 9), (4, 9), (8, 9), (9, 9)]


def poisoned(model: GPT2LMHeadModel) -> GPT2LMHeadModel:
    # Position 12 and later ones are NaN: a window that is shorter is sound.
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.transformer.wpe.weight[12:] = float("nan")
    return other


@pytest.mark.parametrize("name", ["analog", "spiking"])
def test_predictions_that_are_no_numbers_name_the_model_and_the_window(
    tiny_gpt2: GPT2LMHeadModel, text: Tensor, name: str
) -> None:
    models = [copy.deepcopy(tiny_gpt2), copy.deepcopy(tiny_gpt2)]
    models[name == "spiking"] = poisoned(tiny_gpt2)
    assert compare(*models, text[:20], window=12, stride=6).analog.tokens == 19
    said = f"the {name} model predicts NaN or infinity in the window of tokens 0 to 15;"
    with pytest.raises(QualityError, match=said) as caught:
        compare(*models, text, window=16, stride=8)
    assert "\n" not in str(caught.value)


@pytest.fixture
def fails(tiny_gpt2: GPT2LMHeadModel) -> Iterator[Callable[..., str]]:
    def run(ids: Tensor, window: int = 8, stride: int = 4) -> str:
        return refused(
            QualityError,
            compare,
            tiny_gpt2,
            copy.deepcopy(tiny_gpt2),
            ids,
            window=window,
            stride=stride,
        )

    yield run
    assert tiny_gpt2.config._attn_implementation == "sdpa"


def test_what_does_not_fit_is_refused_in_one_line(fails: Callable[..., str], text: Tensor) -> None:
    assert fails(text[:1]).startswith("the text has 1 token, ")
    assert fails(text[:0]).startswith("the text has 0 tokens, ")
    assert fails(text, stride=9).startswith("the stride (= 9) must be at least 1 and at most the")
    assert fails(text, stride=0).startswith("the stride (= 0) must be at least 1")
    assert fails(text, window=65).startswith("the window (= 65) is longer than the 64 positions")
    assert fails(torch.tensor([0, 101])).startswith("the text has token ids from 0 to 101, but")
    assert fails(torch.tensor([0, -1, 2])).startswith("the text has token ids from -1 to 2, but")


def test_models_of_other_sizes_are_not_compared(tiny_gpt2: GPT2LMHeadModel, text: Tensor) -> None:
    config = GPT2Config(n_layer=3, n_embd=32, n_head=4, vocab_size=101, n_positions=64)
    with pytest.raises(QualityError, match="has layers = 2, the spiking one 3; compare a model"):
        compare(tiny_gpt2, GPT2LMHeadModel(config), text, window=8, stride=4)


# Llama and what is built like it


@pytest.mark.parametrize("key_value", KeyValue)
def test_the_control_reads_as_the_analog_model(
    decoder: Callable[..., PreTrainedModel], text: Tensor, kind: str, key_value: KeyValue
) -> None:
    analog = decoder(kind)
    how = {"form": "softmax", "code": "exact", "key_value": key_value}
    control = convert(analog, SpikingConfig(**how), [text[None, :20]])
    found = compare(analog, control, text, window=20, stride=10, batch=3)
    # log-softmax in float32, over 74 tokens
    assert found.spiking.perplexity == pytest.approx(found.analog.perplexity, rel=1e-5)
    assert found.top1_agreement == 1
    assert found.kl_nats == pytest.approx(0, abs=FLOAT32)
    assert found.cosine_final == pytest.approx(1, abs=1e-9)
    for layer in found.layers:
        for part in ("residual", "attention", "feedforward"):
            assert getattr(layer, f"cosine_{part}") == pytest.approx(1, abs=1e-9)
            assert getattr(layer, f"error_{part}") < 1e-4
    assert found.asa.dense_macs == found.asa.total(Op.MAC)
    if key_value is KeyValue.STORED:  # of two streams, what arrives of the second comes on top
        assert found.ssa.total(Op.MAC) == found.ssa.dense_macs
    nll, tokens = recipe(analog, text, 20, 10)
    assert tokens == found.analog.tokens == 74
    assert found.analog.nll_nats == pytest.approx(nll, rel=1e-5)


def test_a_coded_decoder_is_compared_where_its_layers_are(
    decoder: Callable[..., PreTrainedModel],
    converted: Callable[..., SpikingLanguageModel],
    text: Tensor,
) -> None:
    spiking = converted("qwen2", "softmax", torch.float32, code="pow2", timesteps=3)
    found = compare(decoder("qwen2"), spiking, text, window=20, stride=10)
    assert [layer.layer for layer in found.layers] == [0, 1]
    for layer in found.layers:
        for part in ("residual", "attention", "feedforward"):
            assert 0.5 < getattr(layer, f"cosine_{part}") < 1
            assert 0 < getattr(layer, f"error_{part}") < 1
    assert found.kl_nats > 0
    assert 0 < found.ssa.events_per_mac < 3
    assert found.ssa.timesteps == 3


def test_decoders_of_two_families_or_sizes_are_not_compared(
    decoder: Callable[..., PreTrainedModel], tiny_gpt2: GPT2LMHeadModel, text: Tensor
) -> None:
    with pytest.raises(
        QualityError, match=r"^the analog model has width = 32, the spiking one 48;"
    ):
        compare(decoder(), decoder("qwen2"), text, window=20, stride=10)
