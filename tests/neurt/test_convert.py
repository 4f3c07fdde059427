import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from neurt.config import SpikingConfig
from neurt.convert import ConversionError, analog_of, convert
from neurt.modeling import SpikingGPT2LMHeadModel
from neurt.neuron import SpikingNeuron


def test_shares_every_parameter_with_the_dense_model(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel
) -> None:
    dense = dict(tiny_gpt2.named_parameters())
    converted = dict(spiking.named_parameters())
    assert dense.keys() == converted.keys()
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


@torch.no_grad()
def test_more_timesteps_come_closer_in_the_feed_forward(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    x = torch.randn(2, 12, 32, generator=torch.Generator().manual_seed(0))
    analog = tiny_gpt2.transformer.h[0].mlp(x)

    def error(timesteps: int) -> float:
        spiking = convert(
            tiny_gpt2, SpikingConfig(timesteps=timesteps, input_quantile=1.0), [token_ids]
        )
        block = spiking.transformer.h[0].mlp
        block.encoder.threshold.fill_(4.0)  # nothing saturates: only resolution is left
        block.hidden_encoder.threshold.fill_(0.5)
        return float((block(x) - analog).norm() / analog.norm())

    assert error(32) < error(8) < error(2)
    assert error(64) < 0.12


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
    ours = {p.data_ptr() for p in spiking.parameters()}
    assert {p.data_ptr() for p in again.parameters()} == ours


def test_names_the_layer_whose_input_overflows(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight.fill_(3e38)  # finite, but sums are not
    with pytest.raises(ConversionError, match=r"layer 'transformer\.h\.1\.mlp\.hidden_encoder'"):
        convert(tiny_gpt2, SpikingConfig(), [token_ids])
