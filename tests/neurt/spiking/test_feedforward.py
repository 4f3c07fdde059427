from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.models.llama.modeling_llama import LlamaMLP

from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.spiking.neuron import calibrating

Converted = Callable[..., SpikingGPT2LMHeadModel]
CONFIG = GPT2Config(n_embd=16, n_head=2, resid_pdrop=0.0)


def pair(code: Code, timesteps: int) -> tuple[GPT2MLP, SpikingFeedForward]:
    torch.manual_seed(0)
    analog = GPT2MLP(64, CONFIG).double().eval()
    for layer in (analog.c_fc, analog.c_proj):
        nn.init.normal_(layer.weight, std=0.3)
    spiking = SpikingConfig(code=code, timesteps=timesteps, input_quantile=1.0)
    block = SpikingFeedForward(CONFIG, spiking).double().eval()
    missing, unexpected = block.load_state_dict(analog.state_dict(), strict=False)
    assert not unexpected
    assert set(missing) == {"encoder.threshold", "hidden_encoder.threshold"}
    return analog, block


X = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("timesteps", [1, 3, 8])
@torch.no_grad()
def test_without_a_code_it_is_the_analog_block(timesteps: int) -> None:
    analog, block = pair(Code.EXACT, timesteps)
    torch.testing.assert_close(block(X), analog(X), atol=1e-12, rtol=0)


@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_it_is_the_analog_block_on_what_the_coders_let_through(code: Code) -> None:
    analog, block = pair(code, 4)
    with calibrating(block):
        block(X)
    coded = block.encoder.decode(block.encoder(X))
    hidden = block.act(coded @ analog.c_fc.weight + analog.c_fc.bias)
    hidden = block.hidden_encoder.decode(block.hidden_encoder(hidden))
    expected = hidden @ analog.c_proj.weight + analog.c_proj.bias
    torch.testing.assert_close(block(X), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.SAR, Code.POW2])
@torch.no_grad()
def test_more_timesteps_come_closer(code: Code) -> None:
    errors = []
    for timesteps, zone in ((1, 1.0), (4, 0.1), (16, 0.001)):
        analog, block = pair(code, timesteps)
        for coder in (block.encoder, block.hidden_encoder):
            coder.factor = zone if code is Code.POW2 else 1.0
        with calibrating(block):
            block(X)
        errors.append(float((block(X) - analog(X)).norm() / analog(X).norm()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1


@pytest.mark.parametrize("code", Code)
def test_gradients_reach_both_layers_and_the_input(code: Code) -> None:
    _, block = pair(code, 2)
    x = X.clone().requires_grad_()
    block(x).square().sum().backward()
    for tensor in (x, block.c_fc.weight, block.c_fc.bias, block.c_proj.weight, block.c_proj.bias):
        assert tensor.grad is not None
        assert bool(torch.isfinite(tensor.grad).all())
        assert bool((tensor.grad != 0).any())


def test_without_a_code_the_gradients_are_the_analog_ones() -> None:
    analog, block = pair(Code.EXACT, 3)
    grads = []
    for model in (analog, block):
        x = X.clone().requires_grad_()
        model(x).square().sum().backward()
        grads.append((x.grad, model.c_fc.weight.grad, model.c_proj.weight.grad))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_inner_width_is_the_one_of_the_configuration() -> None:
    narrow = GPT2Config(n_embd=16, n_head=2, n_inner=24)
    block = SpikingFeedForward(narrow, SpikingConfig())
    assert block.c_fc.weight.shape == (16, 24)
    assert block.hidden_encoder.channels == 24


def test_each_coder_feeds_one_layer(converted: Converted) -> None:
    block = converted(code=Code.POW2).transformer.h[0].mlp
    assert block.coded == [(block.encoder, [block.c_fc]), (block.hidden_encoder, [block.c_proj])]


# With a gate


def gated(code: Code, timesteps: int, kind: str) -> tuple[LlamaMLP, SpikingFeedForward]:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16, num_attention_heads=2, intermediate_size=24, mlp_bias=kind == "biased"
    )
    analog = LlamaMLP(config).double().eval()
    for parameter in analog.parameters():
        nn.init.normal_(parameter, std=0.3)
    spiking = SpikingConfig(code=code, timesteps=timesteps, input_quantile=1.0)
    block = SpikingFeedForward(config, spiking).double().eval()
    missing, unexpected = block.load_state_dict(analog.state_dict(), strict=False)
    assert not unexpected
    assert set(missing) == {"encoder.threshold", "hidden_encoder.threshold"}
    return analog, block


GATED = pytest.mark.parametrize("kind", ["biased", "unbiased"])


@GATED
@pytest.mark.parametrize("timesteps", [1, 3, 8])
@torch.no_grad()
def test_a_gated_block_without_a_code_is_the_analog_block(kind: str, timesteps: int) -> None:
    analog, block = gated(Code.EXACT, timesteps, kind)
    torch.testing.assert_close(block(X), analog(X), atol=1e-12, rtol=0)


@GATED
@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_a_gated_block_multiplies_what_the_same_events_made(kind: str, code: Code) -> None:
    analog, block = gated(code, 4, kind)
    with calibrating(block):
        block(X)
    coded = block.encoder.decode(block.encoder(X))
    hidden = nn.functional.silu(analog.gate_proj(coded)) * analog.up_proj(coded)
    hidden = block.hidden_encoder.decode(block.hidden_encoder(hidden))
    torch.testing.assert_close(block(X), analog.down_proj(hidden), atol=1e-12, rtol=0)


@pytest.mark.parametrize("code", Code)
def test_gradients_reach_all_three_layers_and_the_input(code: Code) -> None:
    _, block = gated(code, 2, "unbiased")
    x = X.clone().requires_grad_()
    block(x).square().sum().backward()
    layers = (block.gate_proj, block.up_proj, block.down_proj)
    for tensor in (x, *(layer.weight for layer in layers)):
        assert tensor.grad is not None
        assert bool(torch.isfinite(tensor.grad).all())
        assert bool((tensor.grad != 0).any())


def test_the_first_coder_of_a_gated_block_feeds_two_layers() -> None:
    _, block = gated(Code.POW2, 2, "biased")
    assert block.coded == [
        (block.encoder, [block.gate_proj, block.up_proj]),
        (block.hidden_encoder, [block.down_proj]),
    ]
    assert block.fan_outs() == [(block.encoder, 24 + 24), (block.hidden_encoder, 16)]
    assert block.drives(9) == [(block.encoder, 16 * 48), (block.hidden_encoder, 24 * 16)]
    assert block.macs(9) == 3 * 16 * 24


def test_fan_outs_of_a_block_without_a_gate(converted: Converted) -> None:
    block = converted(code=Code.POW2).transformer.h[0].mlp
    assert block.fan_outs() == [(block.encoder, 128), (block.hidden_encoder, 32)]
    assert block.macs(5) == 2 * 32 * 128
