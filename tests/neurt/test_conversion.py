from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from neurt.config import Attention, Code, KeyValue, SpikingConfig
from neurt.conversion import ConversionError, analog_of, convert
from neurt.modeling import SpikingGPT2LMHeadModel
from neurt.neuron import SpikingNeuron
from neurt.pow2 import DEAD_WEIGHT, PowerOfTwo, output_dead_zone


def test_shares_every_parameter_with_the_dense_model(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel
) -> None:
    dense = dict(tiny_gpt2.named_parameters())
    converted = dict(spiking.named_parameters())
    beside = converted.keys() - dense.keys()
    # per layer: 3 neurons in attention, 2 in the feed-forward block
    assert len(beside) == 2 * 5
    assert all(name.endswith(".threshold") for name in beside)
    assert not any(converted[name].requires_grad for name in beside)
    for name, parameter in dense.items():
        assert parameter.data_ptr() == converted[name].data_ptr(), name
    assert spiking.lm_head.weight is spiking.transformer.wte.weight


def test_every_neuron_is_calibrated(spiking: SpikingGPT2LMHeadModel) -> None:
    neurons = [m for m in spiking.modules() if isinstance(m, SpikingNeuron)]
    assert len(neurons) == 2 * 5  # per layer: 3 in attention, 2 in feed-forward
    for neuron in neurons:
        assert not torch.equal(neuron.threshold, torch.ones_like(neuron.threshold))
        assert bool((neuron.threshold > 0).all())


def test_leaves_the_dense_model_as_it_was(tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor) -> None:
    before = tiny_gpt2(token_ids).logits
    convert(tiny_gpt2, SpikingConfig(), [token_ids])
    assert torch.equal(tiny_gpt2(token_ids).logits, before)


@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("timesteps", [1, 3, 8])
@torch.no_grad()
def test_without_an_error_of_coding_the_logits_are_those_of_gpt2(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, timesteps: int, key_value: KeyValue
) -> None:
    spiking = convert(tiny_gpt2, exact(timesteps, key_value), [token_ids])
    padding = torch.ones_like(token_ids)
    padding[0, :3] = 0  # left padding
    for how in ({}, {"attention_mask": padding}):
        expected, found = (
            model(token_ids, use_cache=False, **how).logits for model in (tiny_gpt2, spiking)
        )
        seen = padding.bool() if how else torch.ones_like(token_ids).bool()
        torch.testing.assert_close(found[seen], expected[seen], atol=1e-4, rtol=0)


def exact(timesteps: int, key_value: KeyValue = KeyValue.STORED) -> SpikingConfig:
    return SpikingConfig(
        attention=Attention.SOFTMAX,
        feedforward=Code.EXACT,
        timesteps=timesteps,
        key_value=key_value,
    )


@pytest.mark.parametrize(
    "variant",
    [
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"reorder_and_upcast_attn": True},
        {"n_inner": 48},
        {"activation_function": "relu"},
        {"tie_word_embeddings": False},
    ],
    ids=lambda variant: next(iter(variant)),
)
@torch.no_grad()
def test_the_control_is_exact_for_the_variants_of_gpt2_too(
    variant: dict[str, Any], token_ids: Tensor
) -> None:
    torch.manual_seed(0)
    sizes = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 101, "n_positions": 64}
    no_tokens = {"bos_token_id": None, "eos_token_id": None}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **no_tokens, **variant)).eval()
    for block in model.transformer.h:
        nn.init.normal_(block.attn.c_attn.weight, std=0.3)  # attention that is not flat
    spiking = convert(model, exact(2), [token_ids])
    expected, found = (m(token_ids, use_cache=False).logits for m in (model, spiking))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@torch.no_grad()
def test_without_an_error_of_coding_the_logits_are_those_of_gpt2_small() -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    ids = torch.randint(0, 50257, (1, 24))
    expected = model(ids, use_cache=False).logits
    for timesteps in (1, 3, 8):
        spiking = convert(model, exact(timesteps), [ids[:, :8]])
        found = spiking(ids, use_cache=False).logits
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_greedy_coders_get_dead_zones_for_what_they_drive(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    seen: dict[str, Tensor] = {}
    spiking = convert(
        tiny_gpt2,
        SpikingConfig(attention=Attention.SOFTMAX, feedforward=Code.POW2, threshold=0.5),
        [token_ids],
    )
    for name, module in spiking.named_modules():
        if isinstance(module, PowerOfTwo):

            def keep(_m: nn.Module, args: tuple[Tensor, ...], name: str = name) -> None:
                seen[name] = args[0].reshape(-1, args[0].shape[-1])

            module.register_forward_pre_hook(keep)
    spiking(token_ids, use_cache=False)
    for index, block in enumerate(spiking.transformer.h):
        for part, feeds in (
            ("attn.encoder", block.attn.c_attn),
            ("attn.mix_encoder", block.attn.c_proj),
            ("mlp.encoder", block.mlp.c_fc),
            ("mlp.hidden_encoder", block.mlp.c_proj),
        ):
            name = f"transformer.h.{index}.{part}"
            expected = 0.5 * output_dead_zone(feeds.weight)(seen[name])
            found = spiking.get_submodule(name).threshold
            torch.testing.assert_close(found, expected, msg=name)
        assert block.attn.core.weight_encoder.threshold.item() == pytest.approx(0.5 * DEAD_WEIGHT)


@pytest.mark.parametrize("form", Attention)
@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_every_form_and_code_gives_finite_logits_and_thresholds(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, form: Attention, code: Code
) -> None:
    for quantile in (0.99, None):
        spiking = convert(
            tiny_gpt2,
            SpikingConfig(attention=form, feedforward=code, input_quantile=quantile),
            [token_ids, token_ids.flip(0)],
        )
        assert bool(torch.isfinite(spiking(token_ids, use_cache=False).logits).all())
        for module in spiking.modules():
            if isinstance(module, SpikingNeuron):
                assert bool(torch.isfinite(module.threshold).all())
                assert bool((module.threshold > 0).all())
                assert module.calibrations == -1


def test_progress_is_told(tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor) -> None:
    told: list[tuple[int, int]] = []
    convert(tiny_gpt2, SpikingConfig(), [token_ids] * 3, lambda a, b: told.append((a, b)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_refuses_other_architectures(token_ids: Tensor) -> None:
    with pytest.raises(ConversionError, match="cannot convert a Linear"):
        convert(nn.Linear(2, 2), SpikingConfig(), [token_ids])  # type: ignore[arg-type]


def test_refuses_to_go_without_text(tiny_gpt2: GPT2LMHeadModel) -> None:
    with pytest.raises(ConversionError, match="at least one window"):
        convert(tiny_gpt2, SpikingConfig(), [])


def test_names_the_parameter_that_is_not_finite(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight[0, 0] = float("nan")
    with pytest.raises(ConversionError, match=r"'transformer\.h\.1\.mlp\.c_fc\.weight'"):
        convert(tiny_gpt2, SpikingConfig(), [token_ids])


@torch.no_grad()
def test_the_analog_model_comes_back_and_shares_the_parameters(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    again = analog_of(spiking)
    assert type(again) is GPT2LMHeadModel
    assert torch.equal(again(token_ids).logits, tiny_gpt2(token_ids).logits)
    ours = {n: p.data_ptr() for n, p in spiking.named_parameters() if "threshold" not in n}
    assert {n: p.data_ptr() for n, p in again.named_parameters()} == ours


def test_names_the_layer_whose_input_overflows(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight.fill_(3e38)  # finite, but sums are not
    with pytest.raises(ConversionError, match=r"layer 'transformer\.h\.1\.mlp\.hidden_encoder'"):
        convert(tiny_gpt2, SpikingConfig(), [token_ids])


@pytest.mark.parametrize("form", Attention)
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.SAR, Code.EXACT])
def test_thresholds_are_those_of_what_the_neurons_then_receive(
    tiny_gpt2: GPT2LMHeadModel, form: Attention, code: Code
) -> None:
    # One window: calibrated on the way, the model must see the same again in a plain pass.
    window = torch.randint(0, 101, (1, 48), generator=torch.Generator().manual_seed(5))
    chosen = SpikingConfig(attention=form, feedforward=code, timesteps=3)
    model = convert(tiny_gpt2, chosen, [window])
    received: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, SpikingNeuron):
            module.register_forward_pre_hook(
                lambda _layer, args, name=name: received.__setitem__(name, args[0])
            )
    with torch.no_grad():
        model(window, use_cache=False)
    thresholds = {name: model.get_submodule(name).threshold for name in received}
    for name, x in received.items():
        neuron = model.get_submodule(name)
        assert isinstance(neuron, SpikingNeuron)
        neuron.calibrations = 0
        before = thresholds[name].detach().clone()
        neuron.calibrate(x)
        torch.testing.assert_close(before, neuron.threshold.detach(), msg=name)
