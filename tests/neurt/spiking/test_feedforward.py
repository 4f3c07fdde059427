from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.models.llama.modeling_llama import LlamaMLP

from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.neuron import calibrating

X = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
KINDS = pytest.mark.parametrize("kind", ["plain", "gated", "gated and biased"])


def pair(code: Code, timesteps: int, kind: str) -> tuple[Any, SpikingFeedForward]:
    """A feed-forward block 16 -> 64 -> 16 of GPT-2 or 16 -> 24 -> 16 of Llama, and its spiking one.

    The spiking block loads the state of the analog one by name.
    """
    torch.manual_seed(0)
    if kind == "plain":
        config: Any = GPT2Config(n_embd=16, n_head=2, resid_pdrop=0.0)
        analog: Any = GPT2MLP(64, config)
    else:
        heads = {"num_attention_heads": 2, "mlp_bias": kind != "gated"}
        config = LlamaConfig(hidden_size=16, intermediate_size=24, **heads)
        analog = LlamaMLP(config)
    analog = analog.double().eval()
    for parameter in analog.parameters():
        nn.init.normal_(parameter, std=0.3)
    spiking = SpikingConfig(code=code, timesteps=timesteps, input_quantile=1.0)
    block = SpikingFeedForward(config, spiking).double().eval()
    missing, unexpected = block.load_state_dict(analog.state_dict(), strict=False)
    assert not unexpected
    assert set(missing) == {"encoder.threshold", "hidden_encoder.threshold"}
    return analog, block


@KINDS
@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_without_a_code_it_is_the_analog_block_and_so_are_its_gradients(
    kind: str, timesteps: int
) -> None:
    results, slopes = [], []
    for model in pair(Code.EXACT, timesteps, kind):
        x = X.clone().requires_grad_()
        results.append(model(x))
        results[-1].square().sum().backward()
        own = {name: p.grad for name, p in model.named_parameters() if "threshold" not in name}
        slopes.append(own | {"x": x.grad})
    torch.testing.assert_close(results[1], results[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(slopes[1], slopes[0])


@KINDS
@torch.no_grad()
def test_it_is_the_analog_block_on_what_the_coders_let_through(kind: str, code: Code) -> None:
    analog, block = pair(code, 4, kind)
    with calibrating(block):
        block(X)
    coded = block.encoder.decode(block.encoder(X))

    def let_through(hidden: Tensor) -> Tensor:
        return block.hidden_encoder.decode(block.hidden_encoder(hidden))

    if kind == "plain":
        hidden = block.act(coded @ analog.c_fc.weight + analog.c_fc.bias)
        expected = let_through(hidden) @ analog.c_proj.weight + analog.c_proj.bias
    else:  # what the same events made is multiplied
        hidden = nn.functional.silu(analog.gate_proj(coded)) * analog.up_proj(coded)
        expected = analog.down_proj(let_through(hidden))
    torch.testing.assert_close(block(X), expected, atol=1e-12, rtol=0)


@KINDS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.SAR, Code.POW2])
@torch.no_grad()
def test_more_timesteps_come_closer(kind: str, code: Code) -> None:
    errors = []
    for timesteps, zone in ((1, 1.0), (4, 0.1), (16, 0.001)):
        analog, block = pair(code, timesteps, kind)
        for coder in (block.encoder, block.hidden_encoder):
            coder.factor = zone if code is Code.POW2 else 1.0
        with calibrating(block):
            block(X)
        errors.append(float((block(X) - analog(X)).norm() / analog(X).norm()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1


@KINDS
def test_gradients_reach_all_layers_and_the_input(kind: str, code: Code) -> None:
    _, block = pair(code, 2, kind)
    x = X.clone().requires_grad_()
    block(x).square().sum().backward()
    for tensor in (x, *(p for n, p in block.named_parameters() if "threshold" not in n)):
        assert tensor.grad is not None
        assert bool(torch.isfinite(tensor.grad).all())
        assert bool((tensor.grad != 0).any())


def test_the_inner_width_is_the_one_of_the_configuration() -> None:
    narrow = GPT2Config(n_embd=16, n_head=2, n_inner=24)
    block = SpikingFeedForward(narrow, SpikingConfig())
    assert block.c_fc.weight.shape == (16, 24)
    assert block.hidden_encoder.channels == 24


def test_each_coder_of_a_block_without_a_gate_feeds_one_layer() -> None:
    _, block = pair(Code.POW2, 2, "plain")
    assert block.coded == [(block.encoder, [block.c_fc]), (block.hidden_encoder, [block.c_proj])]
    assert block.fan_outs(7) == [(block.encoder, 64), (block.hidden_encoder, 16)]
    assert block.macs(5) == 2 * 16 * 64


def test_the_first_coder_of_a_gated_block_feeds_two_layers() -> None:
    _, block = pair(Code.POW2, 2, "gated and biased")
    assert block.coded == [
        (block.encoder, [block.gate_proj, block.up_proj]),
        (block.hidden_encoder, [block.down_proj]),
    ]
    assert block.fan_outs(7) == [(block.encoder, 24 + 24), (block.hidden_encoder, 16)]
    assert block.drives(9) == [(block.encoder, 16 * 48), (block.hidden_encoder, 24 * 16)]
    assert block.macs(9) == 3 * 16 * 24
