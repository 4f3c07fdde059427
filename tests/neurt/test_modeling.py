from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from neurt.modeling import SpikingGPT2Config, SpikingGPT2LMHeadModel


def test_parameters_have_the_names_and_shapes_of_gpt2(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel
) -> None:
    ours = {name: p.shape for name, p in spiking.named_parameters()}
    assert ours == {name: p.shape for name, p in tiny_gpt2.named_parameters()}


@torch.no_grad()
def test_save_and_load_is_bit_for_bit(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor, tmp_path: Path
) -> None:
    spiking.save_pretrained(tmp_path)
    again = SpikingGPT2LMHeadModel.from_pretrained(tmp_path)
    assert again.config.spiking == spiking.config.spiking
    assert torch.equal(again(token_ids).logits, spiking(token_ids).logits)


@torch.no_grad()
def test_auto_classes_know_a_converted_model(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor, tmp_path: Path
) -> None:
    spiking.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is SpikingGPT2LMHeadModel
    assert torch.equal(again(token_ids).logits, spiking(token_ids).logits)


def test_samples(spiking: SpikingGPT2LMHeadModel, token_ids: Tensor) -> None:
    torch.manual_seed(0)
    out = spiking.generate(
        token_ids[:1, :4],
        attention_mask=torch.ones(1, 4, dtype=torch.long),
        max_new_tokens=5,
        do_sample=True,
        pad_token_id=0,
        eos_token_id=None,
    )
    assert out.shape == (1, 9)


def test_gradient_checkpointing_gives_the_same_gradients(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    for dropout in (m for m in spiking.modules() if isinstance(m, torch.nn.Dropout)):
        dropout.p = 0.0  # or the second forward pass would drop other values
    spiking.train()

    def gradients() -> dict[str, Tensor]:
        spiking.zero_grad()
        spiking(token_ids, labels=token_ids, use_cache=False).loss.backward()
        return {n: p.grad.clone() for n, p in spiking.named_parameters() if p.grad is not None}

    plain = gradients()
    spiking.activation_checkpointing_enable()
    checkpointed = gradients()
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        assert torch.allclose(gradient, checkpointed[name], atol=1e-6), name


def test_generates_with_and_without_a_cache(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    outs = [
        spiking.generate(
            token_ids[:1, :4],
            attention_mask=torch.ones(1, 4, dtype=torch.long),
            max_new_tokens=6,
            do_sample=False,
            use_cache=cache,
            pad_token_id=0,
            eos_token_id=None,
        )
        for cache in (True, False)
    ]
    assert torch.equal(*outs)
    assert outs[0].shape == (1, 10)


def test_gradients_reach_every_parameter_of_a_block(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    spiking.train()
    spiking(token_ids, labels=token_ids, use_cache=False).loss.backward()
    for name, parameter in spiking.transformer.h[0].named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool((parameter.grad != 0).any()), name


def test_configuration_refuses_unknown_choices() -> None:
    with pytest.raises(ValidationError, match="timestep"):
        SpikingGPT2Config(spiking={"timestep": 4})
