from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import transformers.models.llama.modeling_llama as hf
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, PreTrainedModel

import neurt.spiking.curvature
from neurt.spiking.coder import Coder
from neurt.spiking.config import Code, DeadZone, Form, KeyValue, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.curvature import NATS_PER_ACCUMULATE, OF_WEIGHTS, curvature, set_dead_zones
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.neuron import NeuronError

Decoder = Callable[..., PreTrainedModel]
DOUBLE: dict[str, Any] = {"dtype": torch.float64}
WINDOWS = list(torch.randint(0, 101, (2, 3, 9), generator=torch.Generator().manual_seed(3)))


def chosen(**changes: Any) -> SpikingConfig:
    how = {"form": Form.SOFTMAX, "code": Code.POW2, "dead_zone": DeadZone.LOSS}
    return SpikingConfig(**how | changes)


def thresholds(model: SpikingLanguageModel) -> dict[str, Tensor]:
    return {
        name: module.threshold.detach().clone()
        for name, module in model.named_modules()
        if isinstance(module, Coder)
    }


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurt.spiking.curvature, "_LAST", {})


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    # How often the curvature is really measured.
    calls: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return curvature(*args, **kwargs)

    monkeypatch.setattr(neurt.spiking.curvature, "curvature", counted)
    return calls


# What is measured


def gradients_in_the_analog_model(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[Tensor]]:
    """Gradients by name of the coder, per window, with hooks on transformers' own Llama."""
    kept: dict[str, list[Tensor]] = {}
    layers = iter(())

    def keep(name: str, x: Tensor) -> None:
        if not x.requires_grad:
            x.requires_grad_()
        x.retain_grad()
        kept.setdefault(name, []).append(x)

    rotate = hf.apply_rotary_pos_emb

    def rotated(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        q, k = rotate(*args, **kwargs)
        where = next(layers)
        keep(f"{where}.self_attn.query_encoder", q)
        keep(f"{where}.self_attn.key_encoder", k)
        return q, k

    monkeypatch.setattr(hf, "apply_rotary_pos_emb", rotated)
    places = [f"model.layers.{depth}" for depth in range(len(model.model.layers))]
    for where, layer in zip(places, model.model.layers, strict=True):
        outputs = {
            "self_attn.encoder": layer.input_layernorm,
            "mlp.encoder": layer.post_attention_layernorm,
            "self_attn.value_encoder": layer.self_attn.v_proj,
        }
        inputs = {
            "self_attn.mix_encoder": layer.self_attn.o_proj,
            "mlp.hidden_encoder": layer.mlp.down_proj,
        }
        for name, module in outputs.items():
            module.register_forward_hook(lambda _m, _a, out, n=f"{where}.{name}": keep(n, out))
        for name, module in inputs.items():
            module.register_forward_pre_hook(lambda _m, args, n=f"{where}.{name}": keep(n, args[0]))
    draw = torch.Generator().manual_seed(0)
    for window in WINDOWS:
        layers = iter(places)
        out = model(window, use_cache=False, output_attentions=True)
        for where, weights in zip(places, out.attentions, strict=True):
            keep(f"{where}.self_attn.core.weight_encoder", weights)
        p = out.logits.flatten(0, 1).softmax(-1)
        labels = torch.multinomial(p.detach(), 1, generator=draw)
        (-p.gather(1, labels).log().sum()).backward()
    found = {name: [x.grad for x in values] for name, values in kept.items()}
    for name, values in kept.items():
        if name.endswith("weight_encoder"):
            # The spiking block divides by the sum of the weights a that arrive:
            # d(sum_j a_j v_j / sum_j a_j) / da_j = v_j - sum_k a_k v_k where they add up to one.
            found[name] = [
                grad - (grad * a.detach()).sum(-1, keepdim=True)
                for grad, a in zip(found[name], values, strict=True)
            ]
    return found


@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (6, 2), (4, 4)])
def test_curvature_is_the_mean_squared_gradient_of_the_analog_model(
    decoder: Decoder,
    monkeypatch: pytest.MonkeyPatch,
    key_value: KeyValue,
    heads: int,
    kv_heads: int,
) -> None:
    analog = decoder(heads=heads, kv_heads=kv_heads, **DOUBLE)
    model = convert(analog, chosen(key_value=key_value), WINDOWS)
    found = curvature(model, WINDOWS)
    witness = copy.deepcopy(analog)
    witness.set_attn_implementation("eager")
    gradients = gradients_in_the_analog_model(witness, monkeypatch)
    names = {name for name, module in model.named_modules() if isinstance(module, Coder)}
    assert found.keys() == names
    assert len(names) == 2 * (6 if key_value is KeyValue.STORED else 8)
    pairs = 3 * 9 * 10 / 2  # 3 sequences of 9 tokens, each sees itself and what is before it
    for name in names:
        expected = torch.zeros(())
        for gradient in gradients[name]:
            squares = gradient.square()
            if name.endswith("weight_encoder"):  # (B, H, S, N)
                seen = squares.tril().sum((0, 2, 3)) / pairs
            elif squares.dim() == 4:  # (B, heads, S, D)
                seen = squares.mean((0, 2)).flatten()
            else:  # (B, S, C)
                seen = squares.mean((0, 1))
            expected = expected + seen / len(WINDOWS)
        assert bool((expected > 0).all()), name
        torch.testing.assert_close(
            found[name], expected.float(), rtol=1e-5, atol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_the_same_question_has_the_same_answer_and_draws_from_nobody(
    converted: Decoder,
) -> None:
    model = converted("llama", **chosen().model_dump())
    state = torch.get_rng_state()
    first, again = curvature(model, WINDOWS), curvature(model, WINDOWS)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = curvature(model, WINDOWS, seed=1)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("when", [0, 1])
def test_an_interrupted_measurement_leaves_the_model_as_it_was(
    converted: Callable[..., SpikingLanguageModel], when: int
) -> None:
    model = copy.deepcopy(converted(**chosen().model_dump()))
    frozen = model.get_parameter("transformer.wpe.weight").requires_grad_(False)
    before = {name: p.requires_grad for name, p in model.named_parameters()}

    def interrupt(done: int, _total: int) -> None:
        if done == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curvature(model, WINDOWS, interrupt)
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
    assert not frozen.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert all(m.stand_in is None for m in model.modules() if isinstance(m, Coder))


def test_a_gradient_that_is_not_finite_is_named(converted: Decoder) -> None:
    model = copy.deepcopy(converted("llama", **chosen().model_dump()))
    layer = model.get_submodule("model.layers.1")
    layer.register_full_backward_pre_hook(lambda _m, gradients: (gradients[0] * float("nan"),))
    with pytest.raises(
        NeuronError, match=r"^the gradient at 'model\.layers\.[01]\.[a-z_.]+' is not"
    ):
        curvature(model, WINDOWS)


# What is made of it


@pytest.mark.parametrize("key_value", KeyValue)
def test_thresholds_are_where_an_event_costs_what_it_saves(
    decoder: Decoder, key_value: KeyValue
) -> None:
    model = convert(
        decoder(heads=6, kv_heads=2, **DOUBLE),
        chosen(key_value=key_value, threshold=3.0, attention_threshold=0.5),
        WINDOWS,
    )
    felt = curvature(model, WINDOWS)
    # 6 heads of 8 channels share 2; a query sees (9 + 1) / 2 = 5 keys on average
    fan_outs = {
        "self_attn.encoder": 48 + 16 + 16,
        "self_attn.query_encoder": 5,
        "self_attn.key_encoder": 3 * 5,
        "self_attn.value_encoder": 3 * 5,
        "self_attn.core.weight_encoder": 8,
        "self_attn.mix_encoder": 48,
        "mlp.encoder": 40 + 40,
        "mlp.hidden_encoder": 48,
    }
    for name, found in thresholds(model).items():
        part = name.split(".", 3)[3]
        factor = 0.5 if part.startswith("self_attn") else 3.0
        price = NATS_PER_ACCUMULATE * factor**2
        if part.endswith("weight_encoder"):
            price *= OF_WEIGHTS
        drawn = felt[name].double() ** 0.4 * felt[name].double().mean() ** 0.6
        expected = (2 * price * fan_outs[part] / drawn).sqrt()
        torch.testing.assert_close(found, expected, msg=lambda m, n=name: f"{n}: {m}")


def test_twice_the_factor_is_twice_the_thresholds(decoder: Decoder) -> None:
    analog = decoder(**DOUBLE)
    plain, both, of_attention = (
        thresholds(convert(analog, chosen(**how), WINDOWS))
        for how in ({}, {"threshold": 2.0}, {"attention_threshold": 2.0})
    )
    for name, threshold in plain.items():
        torch.testing.assert_close(both[name], 2 * threshold)
        inside = 2 if ".self_attn." in name else 1
        torch.testing.assert_close(of_attention[name], inside * threshold)


def test_wider_dead_zones_send_fewer_events(decoder: Decoder) -> None:
    analog = decoder(**DOUBLE)
    sent: list[int] = []
    for factor in (1.0, 30.0, 1000.0):
        model = convert(analog, chosen(threshold=factor), WINDOWS)
        events: list[int] = []
        for module in model.modules():
            if isinstance(module, Coder):
                module.register_forward_hook(
                    lambda _m, _a, out, to=events: to.append(int((out != 0).sum()))
                )
        with torch.no_grad():
            model(WINDOWS[0])
        sent.append(sum(events))
    assert sent[0] > sent[1] > sent[2]


def test_what_the_loss_does_not_feel_is_silent_and_stays_a_number(
    tiny_gpt2: GPT2LMHeadModel,
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[0].mlp.c_proj.weight[5] = 0
    model = convert(tiny_gpt2, chosen(), WINDOWS)
    coder = model.transformer.h[0].mlp.hidden_encoder
    assert bool(torch.isfinite(coder.threshold).all())
    sent: list[Tensor] = []
    coder.register_forward_hook(lambda _m, _a, out: sent.append(out))
    with torch.no_grad():
        logits = model(WINDOWS[0]).logits
    assert not bool(sent[0][..., 5].any())
    assert bool(sent[0].any())
    assert bool(torch.isfinite(logits).all())


# What is kept


def test_what_was_measured_last_is_not_measured_again(
    decoder: Decoder, measured: list[int]
) -> None:
    analog = decoder(**DOUBLE)
    first = convert(analog, chosen(), WINDOWS)
    told: list[tuple[int, int]] = []
    for how in ({}, {"timesteps": 2}, {"threshold": 3.0}):
        again = convert(analog, chosen(**how), WINDOWS, lambda *done: told.append(done))
        factor = how.get("threshold", 1.0)
        for name, threshold in thresholds(first).items():
            torch.testing.assert_close(thresholds(again)[name], factor * threshold)
    assert (len(measured), told) == (1, [])
    assert len(neurt.spiking.curvature._LAST) == 1


CHANGES: dict[str, Callable[[Any], object]] = {
    "a weight": lambda model: model.model.layers[0].mlp.up_proj.weight[0, 0].add_(1),
    "a gain": lambda model: model.model.norm.weight[0].add_(1),
    "the embedding": lambda model: model.model.embed_tokens.weight[100, 0].add_(1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_weights_that_change_are_measured_anew(
    decoder: Decoder, measured: list[int], what: str
) -> None:
    analog = copy.deepcopy(decoder(**DOUBLE))
    convert(analog, chosen(), WINDOWS)
    with torch.no_grad():
        CHANGES[what](analog)
    found = thresholds(convert(analog, chosen(), WINDOWS))
    assert len(measured) == 2
    neurt.spiking.curvature._LAST.clear()
    fresh = thresholds(convert(analog, chosen(), WINDOWS))
    assert all(torch.equal(found[name], fresh[name]) for name in fresh)


@pytest.mark.parametrize(
    "other",
    [
        {"rope": (("rope_theta", 50.0),)},
        {"rms_norm_eps": 0.1},
        {"kind": "mistral"},
        {"kind": "mistral", "sliding_window": 2},
        {"dtype": torch.float32},
    ],
    ids=str,
)
def test_another_model_of_the_same_numbers_is_another_model(
    decoder: Decoder, measured: list[int], other: dict[str, Any]
) -> None:
    convert(decoder(**DOUBLE), chosen(), WINDOWS)
    convert(decoder(**DOUBLE | other), chosen(), WINDOWS)
    assert len(measured) == 2


def test_other_windows_and_other_streams_are_measured_anew(
    decoder: Decoder, measured: list[int]
) -> None:
    analog = decoder(**DOUBLE)
    convert(analog, chosen(), WINDOWS)
    convert(analog, chosen(), WINDOWS[:1])
    convert(analog, chosen(), [window.flatten().view(1, -1) for window in WINDOWS])
    convert(analog, chosen(key_value="streamed"), WINDOWS)
    assert len(measured) == 4


def test_a_converted_model_can_be_set_again(converted: Decoder) -> None:
    model = copy.deepcopy(converted("llama", **chosen().model_dump()))
    before = thresholds(model)
    for coder in (m for m in model.modules() if isinstance(m, Coder)):
        nn.init.constant_(coder.threshold, 7.0)
    text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
    set_dead_zones(model, [text])
    assert all(torch.equal(x, before[name]) for name, x in thresholds(model).items())
