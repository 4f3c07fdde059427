"""A language-model head that is coded: the same weight, counted, planned, stored, trained."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plans import by_name, check_steps, measured, planned
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from energy import Label, check_against_fvcore, count_pass
from hwmodels import Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.learning.trained import trainable
from neurt.requests.finetune import Part
from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.conversion import analog_of, convert
from neurt.spiking.curvature import NATS_PER_ACCUMULATE, curvature
from neurt.spiking.feeds import coders_of
from neurt.spiking.head import EventHead
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.pow2 import DEAD_SHARE

Converted = Callable[..., SpikingLanguageModel]
Decoder = Callable[..., PreTrainedModel]
HEAD: dict[str, Any] = {"form": "softmax", "code": "pow2", "head": True}
PASSES = [prefill(9, batch=3), decode(6, batch=2), Pass(batch=2, queries=3, keys=8)]


def head_of(model: SpikingLanguageModel) -> EventHead:
    head = model.get_output_embeddings()
    assert isinstance(head, EventHead)
    return head


def test_it_codes_what_the_dense_head_reads(converted: Converted, kind: str) -> None:
    model = converted(kind, code="pow2", head=True)
    head, x = head_of(model), torch.randn(2, 5, model.config.hidden_size).double()
    coded = head.encoder.decode(head.encoder(x))
    torch.testing.assert_close(head(x), coded @ head.weight.T)
    assert not torch.equal(coded, x)


def test_it_stays_dense_unless_asked_for(converted: Converted, kind: str) -> None:
    assert type(converted(kind).get_output_embeddings()) is torch.nn.Linear


def test_it_has_the_weight_of_the_analog_model_and_no_second_copy(
    converted: Converted, decoder: Decoder, kind: str
) -> None:
    analog = decoder(kind, dtype=torch.float64)
    model = convert(analog, SpikingConfig(**HEAD), [torch.arange(20).unsqueeze(0)])
    weight = head_of(model).weight
    assert weight.data_ptr() == analog.get_output_embeddings().weight.data_ptr()
    tied = analog.config.tie_word_embeddings
    assert tied is (kind == "gpt2")
    assert (weight is model.get_input_embeddings().weight) is tied
    names = {name for name, _ in model.named_parameters() if name.startswith("lm_head")}
    assert names == {"lm_head.encoder.threshold"} | (set() if tied else {"lm_head.weight"})
    again, ids = analog_of(model), torch.arange(9).unsqueeze(0)
    assert type(again) is type(analog)
    assert torch.equal(again(ids).logits, analog(ids).logits)


@pytest.mark.parametrize("tie", [False, True], ids=["own weight", "tied"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_it_comes_back_from_the_disk(
    decoder: Decoder, kind: str, tie: bool, tmp_path: Path, token_ids: Tensor
) -> None:
    analog = decoder(kind, tie_word_embeddings=tie)
    model = convert(analog, SpikingConfig(**HEAD, resolution=0.25), [token_ids])
    model.save_pretrained(tmp_path)
    back = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(back(token_ids).logits, model(token_ids).logits)
    assert back.choices == model.choices
    assert head_of(back).encoder.resolution == 0.25
    assert (head_of(back).weight is back.get_input_embeddings().weight) is tie
    assert not head_of(back).encoder.threshold.requires_grad
    how: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0}
    made = [it.generate(token_ids, **how) for it in (model, back)]
    assert made[0].shape == (2, 16)
    assert torch.equal(*made)
    stored = json.loads((tmp_path / "config.json").read_text())["spiking"]
    assert (stored["head"], stored["resolution"]) == (True, 0.25)


def test_a_dense_checkpoint_loads_into_it(decoder: Decoder, tmp_path: Path) -> None:
    analog = decoder("llama")
    analog.save_pretrained(tmp_path)
    model = convert(analog, SpikingConfig(**HEAD), [torch.arange(20).unsqueeze(0)])
    loaded = type(model).from_pretrained(tmp_path, spiking=model.config.spiking)
    assert torch.equal(head_of(loaded).weight, analog.get_output_embeddings().weight)
    assert bool((head_of(loaded).encoder.threshold == 1).all())


# Its thresholds


def test_zones_by_loss_pay_for_the_whole_vocabulary(decoder: Decoder) -> None:
    windows = list(torch.randint(0, 101, (2, 3, 9), generator=torch.Generator().manual_seed(3)))
    how = HEAD | {"dead_zone": "loss", "threshold": 3.0, "head_threshold": 0.5}
    model = convert(decoder("llama", dtype=torch.float64), SpikingConfig(**how), windows)
    felt = curvature(model, windows)["lm_head.encoder"].double()
    drawn = felt**0.4 * felt.mean() ** 0.6
    expected = (2 * NATS_PER_ACCUMULATE * 0.5**2 * 101 / drawn).sqrt()  # 101 logits
    torch.testing.assert_close(head_of(model).encoder.threshold, expected)


@torch.no_grad()
def test_zones_by_output_blur_the_logits_by_their_share(decoder: Decoder) -> None:
    analog, ids = decoder("llama", dtype=torch.float64), torch.arange(30).unsqueeze(0)
    model = convert(analog, SpikingConfig(**HEAD, dead_zone="output"), [ids])
    head = head_of(model)
    zones, weight = head.encoder.threshold, head.weight
    # sum of d_c^2 / 3 ||W_c||^2 is DEAD_SHARE^2 of the power of the logits, as the coded model
    # below has them.
    blurred = (zones.square() / 3 * weight.square().sum(0)).sum().sqrt()
    seen: list[Tensor] = []
    hook = model.model.norm.register_forward_hook(lambda _m, _a, out: seen.append(out))
    model(ids)
    hook.remove()
    signal = (seen[0][0] @ weight.T).square().sum(1).mean().sqrt()
    assert float(blurred / signal) == pytest.approx(DEAD_SHARE)


# Counted and planned


@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2, Code.EXACT])
@pytest.mark.parametrize("what", PASSES, ids=str)
def test_the_plan_with_measured_spikes_is_what_the_hooks_count(
    converted: Converted, kind: str, code: Code, what: Pass
) -> None:
    resolution = {"resolution": 0.1} if code is Code.POW2 else {}
    how = {"code": code, "timesteps": 3, "head": True} | resolution
    model = converted(kind, "two streams", torch.float32, **how)
    found = measured(model, what, "ssa")
    plan = planned(model, what, found)
    assert by_name(plan) == by_name(found)
    check_steps(plan, found)
    labels = {row.name: row.label for row in plan.layers if row.name.startswith("lm_head")}
    assert labels == {
        "lm_head": Label("head", "lm_head"),
        "lm_head.encoder": Label("head", "neuron"),
    }
    if code is Code.POW2:  # two zones for each of the channels
        width = model.config.hidden_size
        assert plan.layer("lm_head.encoder").ops[Op.VECTOR_READ] == 2 * width


def test_nothing_is_left_to_multiply(converted: Converted, kind: str, token_ids: Tensor) -> None:
    model = converted(kind, "softmax", torch.float32, code="pow2", head=True, timesteps=3)
    counts = count_pass(model, lambda: model(token_ids), variant="ssa")
    assert counts.total(Op.MAC) == 0
    row = counts.layer("lm_head")
    assert row.kind == "EventHead"
    assert row.ops[Op.SHIFT_AC] == 101 * row.tally.spikes
    assert row.ops[Op.WEIGHT_READ] == 101 * model.config.hidden_size
    assert check_against_fvcore(model, token_ids, counts) == []


def test_it_is_billed_with_its_coder() -> None:
    assert coders_of("lm_head") == {"lm_head.encoder"}


# Trained


def test_fine_tuning_leaves_its_weight_alone_unless_all_is_trained(converted: Converted) -> None:
    model = copy.deepcopy(converted("llama", "softmax", code="pow2", head=True))
    head = head_of(model)
    with trainable(model, [Part.THRESHOLDS, Part.ATTENTION]):
        assert not head.weight.requires_grad
        assert head.encoder.parametrizations.threshold.original.requires_grad
    with trainable(model, [Part.ALL]):
        assert head.weight.requires_grad
        model(torch.arange(9).unsqueeze(0)).logits.square().mean().backward()
    assert head.weight.grad is not None
    assert bool(head.weight.grad.any())
