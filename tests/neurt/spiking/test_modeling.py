from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, PreTrainedModel

from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import (
    SpikingGPT2Config,
    SpikingGPT2LMHeadModel,
    SpikingLanguageModel,
    analog_class,
    spiking_class,
)

Converted = Callable[..., SpikingGPT2LMHeadModel]
CHOICES: dict[str, dict[str, Any]] = {
    "spikformer": {"attention": "spikformer"},
    "softmax": {"attention": "softmax"},
    "two streams": {"attention": "softmax", "key_value": "streamed"},
}
FORMS = pytest.mark.parametrize("form", CHOICES)


def test_parameters_have_the_names_and_shapes_of_gpt2(
    tiny_gpt2: GPT2LMHeadModel, spiking: SpikingGPT2LMHeadModel
) -> None:
    ours = {n: p.shape for n, p in spiking.named_parameters() if not n.endswith(".threshold")}
    assert ours == {name: p.shape for name, p in tiny_gpt2.named_parameters()}


@FORMS
@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_save_and_load_is_bit_for_bit(
    converted: Converted, token_ids: Tensor, tmp_path: Path, form: str, code: Code
) -> None:
    model = converted(
        dtype=torch.float32, feedforward=code, timesteps=3, threshold=0.7, **CHOICES[form]
    )
    model.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    again = SpikingGPT2LMHeadModel.from_pretrained(tmp_path)
    assert again.config.spiking == model.config.spiking
    state, loaded = model.state_dict(), again.state_dict()
    assert state.keys() == loaded.keys()
    for name, values in state.items():
        assert torch.equal(values.view(torch.int32), loaded[name].view(torch.int32)), name
    assert not any(p.requires_grad for n, p in again.named_parameters() if "threshold" in n)
    found, expected = (m(token_ids, use_cache=False).logits for m in (again, model))
    assert torch.equal(found.view(torch.int32), expected.view(torch.int32))


@FORMS
@torch.no_grad()
def test_a_dense_checkpoint_loads_by_name_with_thresholds_of_one(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, tmp_path: Path, form: str
) -> None:
    tiny_gpt2.save_pretrained(tmp_path)
    config = SpikingGPT2Config(
        **tiny_gpt2.config.to_diff_dict(), spiking={"feedforward": "exact", **CHOICES[form]}
    )
    model, info = SpikingGPT2LMHeadModel.from_pretrained(
        tmp_path, config=config, output_loading_info=True
    )
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert info["missing_keys"]
    assert all(name.endswith(".threshold") for name in info["missing_keys"])
    ours, dense = dict(model.named_parameters()), dict(tiny_gpt2.named_parameters())
    assert all(torch.equal(ours[name], values) for name, values in dense.items())
    thresholds = {n: p for n, p in ours.items() if n.endswith(".threshold")}
    assert set(thresholds) == set(info["missing_keys"])
    assert all(torch.equal(p, torch.ones_like(p)) for p in thresholds.values())
    assert not any(p.requires_grad for p in thresholds.values())
    if form != "spikformer":  # whose spikes need calibration
        found, expected = (m.eval()(token_ids).logits for m in (model, tiny_gpt2))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_thresholds_are_stored_beside_the_weights(
    spiking: SpikingGPT2LMHeadModel, tmp_path: Path
) -> None:
    spiking.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    thresholds = {n: x for n, x in stored.items() if n.endswith(".threshold")}
    # per layer: 3 neurons in attention, 2 in the feed-forward block
    assert len(thresholds) == 2 * 5
    own = dict(spiking.named_parameters())
    assert all(torch.equal(x, own[n]) for n, x in thresholds.items())


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


@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.SAR, Code.POW2])
def test_gradient_checkpointing_gives_the_same_gradients(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, form: str, code: Code
) -> None:
    spiking = convert(tiny_gpt2, SpikingConfig(feedforward=code, **CHOICES[form]), [token_ids])
    for parameter in spiking.parameters():
        parameter.requires_grad_(True)  # thresholds too
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
    assert plain.keys() == checkpointed.keys() == dict(spiking.named_parameters()).keys()
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


@FORMS
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("code", [code for code in Code if code is not Code.EXACT])
def test_gradients_reach_every_parameter_of_a_block(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, form: str, code: Code, trained: bool
) -> None:
    for block in tiny_gpt2.transformer.h:  # scores that are large enough to be coded
        torch.nn.init.normal_(block.attn.c_attn.weight, std=0.3)
    model = convert(tiny_gpt2, SpikingConfig(feedforward=code, **CHOICES[form]), [token_ids])
    for name, parameter in model.named_parameters():
        if name.endswith(".threshold"):
            parameter.requires_grad_(trained)
    model.train()
    model(token_ids, labels=token_ids, use_cache=False).loss.backward()
    for name, parameter in model.transformer.h[0].named_parameters():
        if name.endswith(".threshold") and not trained:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert bool(torch.isfinite(parameter.grad).all()), name
            assert bool((parameter.grad != 0).any()), name


@FORMS
@pytest.mark.parametrize("code", Code)
def test_logits_are_the_same_with_and_without_gradients(
    converted: Converted, token_ids: Tensor, form: str, code: Code
) -> None:
    model = converted(dtype=torch.float32, feedforward=code, timesteps=3, **CHOICES[form])
    with torch.no_grad():
        plain = model(token_ids, use_cache=False).logits
    graded = model(token_ids, use_cache=False).logits
    assert plain.grad_fn is None
    assert graded.grad_fn is not None
    assert torch.equal(plain.view(torch.int32), graded.detach().view(torch.int32))


@FORMS
def test_padded_sequences_train_with_finite_gradients(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, form: str
) -> None:
    model = convert(tiny_gpt2, SpikingConfig(feedforward=Code.POW2, **CHOICES[form]), [token_ids])
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    mask = torch.ones_like(token_ids)
    mask[0, :4] = 0  # rows of attention that see nothing
    labels = token_ids.masked_fill(mask == 0, -100)
    model(token_ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name


def test_configuration_refuses_unknown_choices() -> None:
    with pytest.raises(ValidationError, match="timestep"):
        SpikingGPT2Config(spiking={"timestep": 4})


# Llama and what is built like it

Decoder = Callable[..., PreTrainedModel]
KINDS = pytest.mark.parametrize(
    ("kind", "heads", "kv_heads"), [("llama", 4, 2), ("mistral", 4, 1), ("qwen2", 6, 2)]
)
NAMES = {
    "llama": "SpikingLlamaForCausalLM",
    "mistral": "SpikingMistralForCausalLM",
    "qwen2": "SpikingQwen2ForCausalLM",
}


@KINDS
@FORMS
@pytest.mark.parametrize("code", [Code.SAR, Code.POW2, Code.EXACT])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_a_converted_decoder_is_saved_and_loaded_bit_for_bit(
    converted_decoder: Decoder,
    token_ids: Tensor,
    tmp_path: Path,
    kind: str,
    heads: int,
    kv_heads: int,
    form: str,
    code: Code,
    dtype: torch.dtype,
) -> None:
    model = converted_decoder(
        kind, heads, kv_heads, dtype, feedforward=code, timesteps=3, **CHOICES[form]
    )
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    assert type(again) is type(model) is spiking_class(kind)
    assert type(again).__name__ == NAMES[kind]
    assert again.config.model_type == f"spiking_{kind}"
    assert again.config.spiking == model.config.spiking
    state, loaded = model.state_dict(), again.state_dict()
    assert state.keys() == loaded.keys()
    assert all(torch.equal(values, loaded[name]) for name, values in state.items())
    buffers = dict(again.named_buffers())
    # Angles are computed again when a file is loaded: in single precision, as in every Llama.
    found, expected = (m(token_ids, use_cache=False).logits for m in (again, model))
    assert buffers["model.rotary_emb.inv_freq"].dtype == torch.float32
    if dtype == torch.float32:
        assert torch.equal(found, expected)


def test_a_file_keeps_dead_zones_by_head(
    converted_decoder: Decoder, token_ids: Tensor, tmp_path: Path
) -> None:
    model = converted_decoder(
        "qwen2", 6, 2, torch.float32, attention="softmax", feedforward="pow2", dead_zone="loss"
    )
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    coder = again.model.layers[0].self_attn.core.weight_encoder
    assert coder.threshold.shape == (6,)
    assert coder.arranged == (2, 3, 1, 1)
    with torch.no_grad():
        assert torch.equal(again(token_ids).logits, model(token_ids).logits)


@KINDS
@FORMS
@torch.no_grad()
def test_a_dense_decoder_loads_by_name_with_thresholds_of_one(
    decoder: Decoder,
    token_ids: Tensor,
    tmp_path: Path,
    kind: str,
    heads: int,
    kv_heads: int,
    form: str,
) -> None:
    dense = decoder(kind, heads, kv_heads)
    dense.save_pretrained(tmp_path)
    made: Any = spiking_class(kind)
    config = made.config_class(
        **dense.config.to_diff_dict(), spiking={"feedforward": "exact", **CHOICES[form]}
    )
    model, info = made.from_pretrained(tmp_path, config=config, output_loading_info=True)
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert info["missing_keys"]
    assert all(name.endswith(".threshold") for name in info["missing_keys"])
    ours = dict(model.named_parameters())
    assert all(torch.equal(ours[name], values) for name, values in dense.named_parameters())
    thresholds = {n: p for n, p in ours.items() if n.endswith(".threshold")}
    assert set(thresholds) == set(info["missing_keys"])
    assert all(torch.equal(p, torch.ones_like(p)) for p in thresholds.values())
    if form != "spikformer":
        found, expected = (m(token_ids).logits for m in (model, dense))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@KINDS
@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.SAR, Code.POW2])
def test_gradients_of_a_decoder_reach_everything_and_survive_checkpointing(
    decoder: Decoder,
    token_ids: Tensor,
    kind: str,
    heads: int,
    kv_heads: int,
    form: str,
    code: Code,
) -> None:
    analog = copy.deepcopy(decoder(kind, heads, kv_heads))
    model = convert(analog, SpikingConfig(feedforward=code, **CHOICES[form]), [token_ids])
    model.requires_grad_(True)
    model.train()

    def gradients() -> dict[str, Tensor]:
        model.zero_grad()
        model(token_ids, labels=token_ids, use_cache=False).loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    plain = gradients()
    model.activation_checkpointing_enable()
    checkpointed = gradients()
    assert plain.keys() == checkpointed.keys() == dict(model.named_parameters()).keys()
    for name, gradient in plain.items():
        assert bool(torch.isfinite(gradient).all()), name
        assert bool((gradient != 0).any()), name
        torch.testing.assert_close(checkpointed[name], gradient, msg=name)


@KINDS
@FORMS
@torch.no_grad()
def test_a_decoder_has_the_same_logits_with_and_without_gradients(
    converted_decoder: Decoder,
    token_ids: Tensor,
    kind: str,
    heads: int,
    kv_heads: int,
    form: str,
) -> None:
    for code in Code:
        model = converted_decoder(
            kind, heads, kv_heads, feedforward=code, timesteps=3, **CHOICES[form]
        )
        plain = model(token_ids, use_cache=False).logits
        with torch.enable_grad():
            graded = model(token_ids, use_cache=False).logits
        assert graded.grad_fn is not None
        assert torch.equal(graded.detach(), plain), code


@KINDS
def test_classes_of_a_family_know_each_other(kind: str, heads: int, kv_heads: int) -> None:
    made = spiking_class(kind)
    assert made is spiking_class(f"spiking_{kind}")
    assert analog_class(kind) is analog_class(f"spiking_{kind}")
    assert issubclass(made, analog_class(kind))
    assert issubclass(made, SpikingLanguageModel)
    assert made.config_class(num_hidden_layers=1).spiking == SpikingConfig().model_dump(mode="json")
