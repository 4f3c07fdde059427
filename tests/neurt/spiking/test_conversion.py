from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from builders import refused
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from neurt.spiking.config import Calibrate, Code, DeadZone, Form, KeyValue, SpikingConfig
from neurt.spiking.conversion import ConversionError, analog_of, convert
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.pow2 import DEAD_WEIGHT, PowerOfTwo, output_dead_zone


def test_every_neuron_is_calibrated(spiking: SpikingGPT2LMHeadModel) -> None:
    neurons = [m for m in spiking.modules() if isinstance(m, SpikingNeuron)]
    assert len(neurons) == 2 * 5  # per layer: 3 in attention, 2 in feed-forward
    for neuron in neurons:
        assert not torch.equal(neuron.threshold, torch.ones_like(neuron.threshold))
        assert bool((neuron.threshold > 0).all())


def exact(timesteps: int, key_value: KeyValue = KeyValue.STORED) -> SpikingConfig:
    return SpikingConfig(
        form=Form.SOFTMAX,
        code=Code.EXACT,
        timesteps=timesteps,
        key_value=key_value,
    )


@pytest.mark.slow
@torch.no_grad()
def test_without_an_error_of_coding_the_logits_are_those_of_gpt2_small() -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    ids = torch.randint(0, 50257, (1, 24))
    spiking = convert(model, exact(3), [ids[:, :8]])
    expected, found = (m(ids, use_cache=False).logits for m in (model, spiking))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_greedy_coders_get_dead_zones_for_what_they_drive(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    seen: dict[str, Tensor] = {}
    spiking = convert(
        tiny_gpt2,
        SpikingConfig(threshold=0.5, dead_zone=DeadZone.OUTPUT),
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


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", Code)
@torch.no_grad()
def test_every_form_and_code_gives_finite_logits_and_thresholds(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, form: Form, code: Code
) -> None:
    for calibrate in Calibrate:
        spiking = convert(
            tiny_gpt2,
            SpikingConfig(form=form, code=code, calibrate=calibrate),
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
    chosen = SpikingConfig(dead_zone=DeadZone.OUTPUT)
    convert(tiny_gpt2, chosen, [token_ids] * 3, lambda a, b: told.append((a, b)))
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


def test_names_the_layer_whose_input_overflows(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight.fill_(3e38)  # finite, but sums are not
    with pytest.raises(ConversionError, match=r"layer 'transformer\.h\.1\.mlp\.hidden_encoder'"):
        convert(tiny_gpt2, SpikingConfig(form=Form.SPIKFORMER), [token_ids])


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.SAR, Code.EXACT])
def test_thresholds_are_those_of_what_the_neurons_then_receive(
    tiny_gpt2: GPT2LMHeadModel, form: Form, code: Code
) -> None:
    # One window: calibrated on the way, the model must see the same again in a plain pass.
    window = torch.randint(0, 101, (1, 48), generator=torch.Generator().manual_seed(5))
    chosen = SpikingConfig(form=form, code=code, timesteps=3)
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


# Llama and what is built like it

Decoder = Callable[..., PreTrainedModel]
KINDS = pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "mistral", "llama, own"])


@KINDS
@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("timesteps", [1, 3, 8])
@torch.no_grad()
def test_without_an_error_of_coding_the_logits_are_those_of_the_analog_model(
    decoder: Decoder, key_value: KeyValue, timesteps: int, kind: str
) -> None:
    ids = torch.randint(0, 101, (3, 7), generator=torch.Generator().manual_seed(3))
    padding = torch.ones_like(ids)
    padding[0, :3] = padding[2, :6] = 0  # left padding, in one case all but the last token
    for dtype, error in ((torch.float32, 1e-5), (torch.float64, 1e-11)):
        analog = decoder(kind, dtype=dtype)
        model = convert(analog, exact(timesteps, key_value), [ids])
        for how in ({}, {"attention_mask": padding}):
            expected, found = (m(ids, use_cache=False, **how).logits for m in (analog, model))
            seen = padding.bool() if how else torch.ones_like(ids).bool()
            torch.testing.assert_close(found[seen], expected[seen], atol=error, rtol=error)


@pytest.mark.parametrize(
    "variant",
    [
        {"kind": "gpt2", "scale_attn_weights": False},
        {"kind": "gpt2", "scale_attn_by_inverse_layer_idx": True},
        {"kind": "gpt2", "reorder_and_upcast_attn": True},
        {"kind": "gpt2", "n_inner": 48},
        {"kind": "gpt2", "activation_function": "relu"},
        {"kind": "gpt2", "tie_word_embeddings": False},
        {"attention_bias": True, "mlp_bias": True},
        {"head_dim": 6},
        {"tie_word_embeddings": True},
        {"rope": (("rope_theta", 100.0),)},
        {"rope": (("rope_type", "linear"), ("factor", 4.0))},
        {"rope": (("rope_type", "dynamic"), ("factor", 4.0)), "max_position_embeddings": 8},
        {"rope": (("rope_type", "yarn"), ("factor", 4.0)), "max_position_embeddings": 8},
        {
            "rope": (
                ("rope_type", "llama3"),
                ("factor", 8.0),
                ("low_freq_factor", 1.0),
                ("high_freq_factor", 4.0),
                ("original_max_position_embeddings", 8),
            )
        },
        {"kind": "qwen2", "use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("key_value", KeyValue)
@torch.no_grad()
def test_the_control_is_exact_for_the_variants_of_a_model_and_comes_back(
    decoder: Decoder, token_ids: Tensor, variant: dict[str, Any], key_value: KeyValue
) -> None:
    analog = decoder(dtype=torch.float64, **variant)
    model = convert(analog, exact(2, key_value), [token_ids[:, :6]])
    expected = analog(token_ids, use_cache=False).logits
    found = model(token_ids, use_cache=False).logits
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
    again = analog_of(model)
    assert type(again) is type(analog)
    assert torch.equal(again(token_ids, use_cache=False).logits, expected)


@KINDS
@pytest.mark.parametrize("form", Form)
@torch.no_grad()
def test_parameters_are_shared_with_the_analog_model_and_its_buffers_survive(
    decoder: Decoder, token_ids: Tensor, kind: str, form: Form
) -> None:
    analog = decoder(kind, dtype=torch.float64)
    before = analog(token_ids, use_cache=False).logits
    model = convert(analog, SpikingConfig(form=form, code=Code.SAR), [token_ids])
    again = analog_of(model)
    assert type(again) is type(analog)
    dense = {name: p.data_ptr() for name, p in analog.named_parameters()}
    ours = {name: p.data_ptr() for name, p in model.named_parameters()}
    assert {name: at for name, at in ours.items() if not name.endswith("threshold")} == dense
    assert {name: p.data_ptr() for name, p in again.named_parameters()} == dense
    tied = model.lm_head.weight is model.get_input_embeddings().weight
    assert tied is analog.config.tie_word_embeddings
    thresholds = [p for name, p in model.named_parameters() if name.endswith("threshold")]
    assert thresholds
    assert all(p.dtype == torch.float64 and not p.requires_grad for p in thresholds)
    assert all(bool((p > 0).all() and (p != 1).any()) for p in thresholds)
    buffers = dict(analog.named_buffers())
    assert (kind == "gpt2") is not any(name.endswith("inv_freq") for name in buffers)
    for copy_ in (model, again):
        found = dict(copy_.named_buffers())
        assert found.keys() == buffers.keys()
        for name, values in buffers.items():
            assert torch.equal(found[name], values), name
            assert found[name].data_ptr() != values.data_ptr(), name
    assert torch.equal(analog(token_ids, use_cache=False).logits, before)
    assert torch.equal(again(token_ids, use_cache=False).logits, before)
    assert not any(values.is_meta for values in [*model.parameters(), *again.parameters()])


@pytest.mark.parametrize("key_value", KeyValue)
@torch.no_grad()
def test_finer_codes_come_closer_to_the_analog_model(
    decoder: Decoder, key_value: KeyValue, kind: str
) -> None:
    analog = decoder(kind, dtype=torch.float64)
    ids = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
    expected = analog(ids).logits
    for code in (Code.SIGNED_IF, Code.SAR, Code.POW2):
        errors = []
        for timesteps, factor in ((1, 1.0), (4, 0.3), (16, 0.003)):
            chosen = SpikingConfig(
                form=Form.SOFTMAX,
                code=code,
                timesteps=timesteps,
                key_value=key_value,
                threshold=factor if code is Code.POW2 else 1.0,
                input_quantile=1.0,
            )
            found = convert(analog, chosen, [ids])(ids).logits
            errors.append(float((found - expected).norm() / expected.norm()))
        assert errors[0] > errors[1] > errors[2], (code, errors)
        assert errors[2] < errors[0] / 4, (code, errors)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dead_zone", DeadZone)
@torch.no_grad()
def test_a_model_in_half_precision_stays_so(
    decoder: Decoder, token_ids: Tensor, dtype: torch.dtype, dead_zone: DeadZone
) -> None:
    chosen = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, dead_zone=dead_zone)
    model = convert(copy.deepcopy(decoder()).to(dtype), chosen, [token_ids])
    # Thresholds are in the precision in which events are made.
    found = {(name.endswith("threshold"), p.dtype) for name, p in model.named_parameters()}
    assert found == {(False, dtype), (True, torch.float32)}
    assert bool(torch.isfinite(model(token_ids).logits).all())


# Dead zones by what the loss feels


LOSS = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, dead_zone=DeadZone.LOSS, timesteps=4)


@pytest.mark.parametrize(
    ("changes", "this"),
    [
        ({"form": Form.SPIKFORMER}, "pow2 in spikformer attention"),
        ({"code": Code.SAR}, "sar in softmax attention"),
        ({"attention_code": Code.EXACT}, "exact, pow2 in softmax attention"),
        ({"code": Code.BURST, "attention_code": Code.POW2}, "burst, pow2 in softmax"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_dead_zones_by_loss_are_refused_where_there_are_none(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, changes: dict[str, Any], this: str
) -> None:
    said = refused(
        ConversionError, convert, tiny_gpt2, LOSS.model_copy(update=changes), [token_ids]
    )
    assert this in said
    assert said.endswith("for which dead zones by output are calibrated")


def test_a_layer_that_is_given_what_is_not_finite_is_a_conversion_that_cannot_be(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight.fill_(3e38)  # finite, but sums are not
    said = r"^cannot convert: layer 'transformer\.h\.1\.mlp\.hidden_encoder' was given a value that"
    with pytest.raises(ConversionError, match=said):
        convert(tiny_gpt2, LOSS, [token_ids])


@torch.no_grad()
def test_dead_zones_by_loss_tell_progress_and_leave_the_analog_model(
    decoder: Decoder, token_ids: Tensor
) -> None:
    analog = decoder("qwen2", dtype=torch.float64)
    before = analog(token_ids).logits
    told: list[tuple[int, int]] = []
    windows = [token_ids[:1], token_ids[1:]]
    model = convert(analog, LOSS, windows, lambda *done: told.append(done))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert all(p.requires_grad and p.grad is None for p in analog.parameters())
    assert torch.equal(analog(token_ids).logits, before)
    assert not any(p.requires_grad for n, p in model.named_parameters() if "threshold" in n)
    assert not torch.equal(model(token_ids).logits, before)
