from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from neurt.spiking.config import Code, SpikingConfigError, stored_choices
from neurt.spiking.modeling import (
    SpikingGPT2Config,
    SpikingGPT2LMHeadModel,
    SpikingLanguageModel,
    analog_class,
    spiking_class,
)

Converted = Callable[..., SpikingLanguageModel]


def bits(values: Tensor) -> Tensor:
    return values.view(torch.int32 if values.dtype == torch.float32 else torch.int64)


@pytest.mark.parametrize(
    ("kind", "code", "dtype"),
    [
        *(("gpt2", code, torch.float32) for code in Code),
        *((k, c, torch.float32) for k in ("llama", "mistral", "qwen2") for c in (Code.SAR, "pow2")),
        *((k, "pow2", torch.float64) for k in ("llama", "mistral", "qwen2")),
    ],
)
@torch.no_grad()
def test_a_converted_model_is_saved_and_loaded_bit_for_bit(
    converted: Converted,
    token_ids: Tensor,
    tmp_path: Path,
    kind: str,
    form: str,
    code: Code,
    dtype: torch.dtype,
) -> None:
    model = converted(kind, form, dtype, code=code, timesteps=3, threshold=0.7)
    model.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    assert type(again) is type(model) is spiking_class(kind)
    assert type(again).__name__ == f"Spiking{analog_class(kind).__name__}"
    assert again.config.model_type == f"spiking_{kind}"
    assert again.config.spiking == model.config.spiking
    state, loaded = model.state_dict(), again.state_dict()
    assert state.keys() == loaded.keys()
    for name, values in state.items():
        assert torch.equal(bits(values), bits(loaded[name])), name
    assert not any(p.requires_grad for n, p in again.named_parameters() if "threshold" in n)
    # Angles are computed again when a file is loaded: in single precision, as in every Llama.
    if kind != "gpt2":
        assert again.model.rotary_emb.inv_freq.dtype == torch.float32
    if dtype == torch.float32:
        found, expected = (m(token_ids, use_cache=False).logits for m in (again, model))
        assert torch.equal(bits(found), bits(expected))


@torch.no_grad()
def test_an_analog_checkpoint_loads_by_name_with_thresholds_of_one(
    decoder: Callable[..., Any],
    converted: Converted,
    token_ids: Tensor,
    tmp_path: Path,
    kind: str,
    form: str,
) -> None:
    choices = converted(kind, form, code="exact").config.spiking
    analog = decoder(kind)
    analog.save_pretrained(tmp_path)
    made: Any = spiking_class(kind)
    config = made.config_class(**analog.config.to_diff_dict(), spiking=choices)
    model, info = made.from_pretrained(tmp_path, config=config, output_loading_info=True)
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    ours = dict(model.named_parameters())
    assert all(torch.equal(ours[name], values) for name, values in analog.named_parameters())
    thresholds = {n: p for n, p in ours.items() if n.endswith(".threshold")}
    assert set(thresholds) == set(info["missing_keys"]) != set()
    assert all(torch.equal(p, torch.ones_like(p)) for p in thresholds.values())
    assert not any(p.requires_grad for p in thresholds.values())
    if form != "spikformer":  # whose spikes need calibration
        found, expected = (m.eval()(token_ids).logits for m in (model, analog))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_samples(spiking: SpikingGPT2LMHeadModel, token_ids: Tensor) -> None:
    how = {"do_sample": True, "pad_token_id": 0, "eos_token_id": None, "max_new_tokens": 5}
    torch.manual_seed(0)
    mask = torch.ones(1, 4, dtype=torch.long)
    assert spiking.generate(token_ids[:1, :4], attention_mask=mask, **how).shape == (1, 9)


def gradients(model: SpikingLanguageModel, ids: Tensor, **how: Any) -> dict[str, Tensor]:
    model.zero_grad()
    model(ids, use_cache=False, **{"labels": ids} | how).loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("gpt2", code) for code in Code if code is not Code.EXACT),
        *((k, c) for k in ("llama", "mistral", "qwen2") for c in (Code.SIGNED_IF, Code.POW2)),
    ],
)
def test_gradients_reach_every_parameter_and_survive_checkpointing(
    converted: Converted, token_ids: Tensor, kind: str, form: str, code: Code
) -> None:
    model = copy.deepcopy(converted(kind, form, torch.float32, code=code, timesteps=3))
    model.train()
    trained = {n for n, _ in model.named_parameters() if not n.endswith(".threshold")}
    assert gradients(model, token_ids).keys() == trained
    model.requires_grad_(True)  # thresholds too
    plain = gradients(model, token_ids)
    # Its name until transformers 5.22
    old = getattr(model, "gradient_checkpointing_enable", None)
    getattr(model, "activation_checkpointing_enable", old)()
    checkpointed = gradients(model, token_ids)
    assert plain.keys() == checkpointed.keys() == dict(model.named_parameters()).keys()
    for name, gradient in plain.items():
        assert bool(torch.isfinite(gradient).all()), name
        assert bool((gradient != 0).any()), name
        torch.testing.assert_close(checkpointed[name], gradient, msg=name)


@pytest.mark.parametrize("kind", ["gpt2", "qwen2"])
def test_padded_sequences_train_with_finite_gradients(
    converted: Converted, token_ids: Tensor, kind: str, form: str
) -> None:
    model = copy.deepcopy(converted(kind, form, torch.float32, code="pow2", timesteps=3))
    model.requires_grad_(True)
    mask = torch.ones_like(token_ids)
    mask[0, :4] = 0  # rows of attention that see nothing
    labels = token_ids.masked_fill(mask == 0, -100)
    found = gradients(model, token_ids, attention_mask=mask, labels=labels)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, gradient in found.items():
        assert bool(torch.isfinite(gradient).all()), name


def test_logits_are_the_same_with_and_without_gradients(
    converted: Converted, token_ids: Tensor, kind: str, form: str
) -> None:
    for code in Code:
        model = converted(kind, form, torch.float32, code=code, timesteps=3)
        with torch.no_grad():
            plain = model(token_ids, use_cache=False).logits
        graded = model(token_ids, use_cache=False).logits
        assert plain.grad_fn is None
        assert graded.grad_fn is not None
        assert torch.equal(bits(plain), bits(graded.detach())), code


def test_a_file_keeps_dead_zones_by_head(
    converted: Converted, token_ids: Tensor, tmp_path: Path
) -> None:
    model = converted("qwen2", "softmax", torch.float32, code="pow2", dead_zone="loss")
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    coder = again.model.layers[0].self_attn.core.weight_encoder
    assert coder.threshold.shape == (6,)
    assert coder.arranged == (2, 3, 1, 1)
    with torch.no_grad():
        assert torch.equal(again(token_ids).logits, model(token_ids).logits)


def test_configuration_refuses_unknown_choices() -> None:
    with pytest.raises(SpikingConfigError, match="timestep"):
        SpikingGPT2Config(spiking={"timestep": 4})


def test_classes_of_a_family_know_each_other(kind: str) -> None:
    made = spiking_class(kind)
    assert made is spiking_class(f"spiking_{kind}")
    assert analog_class(kind) is analog_class(f"spiking_{kind}")
    assert issubclass(made, analog_class(kind))
    assert issubclass(made, SpikingLanguageModel)
    assert made.config_class(num_hidden_layers=1).spiking == stored_choices({}).model_dump(
        mode="json"
    )
