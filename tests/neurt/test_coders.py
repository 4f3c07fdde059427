"""A coder for each layer that reads the input of a block: zones of its own, counted and planned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plans import by_name, check_steps, measured, planned
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from energy import check_against_fvcore, count_pass
from hwmodels import Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.families import label
from neurt.learning.activity import Activity
from neurt.learning.trained import trainable
from neurt.spiking.coder import Coder
from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.curvature import NATS_PER_ACCUMULATE, curvature
from neurt.spiking.feeds import coders_of
from neurt.spiking.modeling import SpikingLanguageModel

Converted = Callable[..., SpikingLanguageModel]
Decoder = Callable[..., PreTrainedModel]
PASSES = [prefill(9, batch=3), decode(6, batch=2), Pass(batch=2, queries=3, keys=8)]
LAYER: dict[str, Any] = {"coders": "layer", "code": "pow2", "form": "softmax"}
INPUT = {"coders": "input"}
#: Coders of what the blocks of a transformer layer read, by family.
OWN = {
    "gpt2": {"attn.encoder", "mlp.encoder"},
    "llama": {
        *(f"self_attn.encoders.{name}_proj" for name in "qkv"),
        *(f"mlp.encoders.{name}_proj" for name in ("gate", "up")),
    },
}


def of_input(model: SpikingLanguageModel) -> set[str]:
    """Names of the coders of inputs of blocks, within the first transformer layer."""
    ends = ("_encoder", "lm_head.encoder")
    return {
        name.split(".", 3)[3]
        for name, module in model.named_modules()
        if isinstance(module, Coder) and ".0." in name and not name.endswith(ends)
    }


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_layers_that_are_modules_of_their_own_have_their_own(
    converted: Converted, kind: str
) -> None:
    assert of_input(converted(kind, **LAYER)) == OWN[kind]
    shared = {name.split(".")[0] + ".encoder" for name in OWN[kind]}
    assert of_input(converted(kind, **LAYER | INPUT)) == shared


@pytest.mark.parametrize("form", ["softmax", "spikformer"])
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.SAR, Code.EXACT])
def test_where_a_range_is_all_there_is_nothing_changes(
    converted: Converted, token_ids: Tensor, form: str, code: Code
) -> None:
    # A quantile of the input is the same for all that read it; only zones ask what is made of it.
    one, each = (
        converted("llama", form, code=code, coders=coders)(token_ids).logits
        for coders in ("input", "layer")
    )
    torch.testing.assert_close(one, each)


def test_a_zone_by_loss_pays_for_its_own_layer_alone(decoder: Decoder) -> None:
    windows = list(torch.randint(0, 101, (2, 3, 9), generator=torch.Generator().manual_seed(3)))
    analog = decoder(heads=6, kv_heads=2, dtype=torch.float64)
    model = convert(analog, SpikingConfig(**LAYER, dead_zone="loss"), windows)
    felt = curvature(model, windows)
    # 6 heads of 8 channels share 2; the feed-forward block has 40 channels
    fan_outs = {"q_proj": 48, "k_proj": 16, "v_proj": 16, "gate_proj": 40, "up_proj": 40}
    for name, fan_out in fan_outs.items():
        block = "self_attn" if name[1] == "_" else "mlp"
        path = f"model.layers.1.{block}.encoders.{name}"
        own = felt[path].double()
        drawn = own**0.4 * own.mean() ** 0.6
        found = model.get_submodule(path).threshold
        torch.testing.assert_close(found, (2 * NATS_PER_ACCUMULATE * fan_out / drawn).sqrt())


def test_each_coder_hears_what_the_loss_feels_through_its_own_layer(decoder: Decoder) -> None:
    analog = decoder("llama", dtype=torch.float64)
    windows = list(torch.randint(0, 101, (2, 3, 9), generator=torch.Generator().manual_seed(3)))
    path, silent = "model.layers.1.self_attn", copy.deepcopy(analog)
    with torch.no_grad():  # without keys all scores are equal, whatever the queries
        silent.get_submodule(f"{path}.k_proj").weight.zero_()
    felt = curvature(convert(silent, SpikingConfig(**LAYER), windows), windows)
    assert not bool(felt[f"{path}.encoders.q_proj"].any())
    assert not bool(felt[f"{path}.encoders.k_proj"].any())
    assert bool((felt[f"{path}.encoders.v_proj"] > 0).all())
    shared = curvature(convert(silent, SpikingConfig(**LAYER | INPUT), windows), windows)
    torch.testing.assert_close(shared[f"{path}.encoder"], felt[f"{path}.encoders.v_proj"])


def test_zones_by_output_are_those_of_the_own_weights(decoder: Decoder) -> None:
    ids = torch.arange(30).unsqueeze(0)
    how = LAYER | {"dead_zone": "output"}
    model = convert(decoder("llama", dtype=torch.float64), SpikingConfig(**how), [ids])
    for name in ("gate_proj", "up_proj"):
        coder = model.get_submodule(f"model.layers.0.mlp.encoders.{name}")
        weight = model.get_submodule(f"model.layers.0.mlp.{name}").weight
        # d_c ||W_c|| is the same in all channels.
        wide = coder.threshold * weight.norm(dim=0)
        torch.testing.assert_close(wide, wide.mean().expand_as(wide))


@pytest.mark.parametrize("form", ["softmax", "two streams", "spikformer"])
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
@pytest.mark.parametrize("what", PASSES, ids=str)
def test_the_plan_with_measured_spikes_is_what_the_hooks_count(
    converted: Converted, form: str, code: Code, what: Pass
) -> None:
    how = {"code": code, "timesteps": 3, "coders": "layer", "threshold": 2.0, "resolution": 0.5}
    model = converted("llama", form, torch.float32, **how)
    found = measured(model, what, "ssa")
    plan = planned(model, what, found)
    assert by_name(plan) == by_name(found)
    check_steps(plan, found)
    assert [row.name for row in plan.layers if row.label.block == "other"] == []


def test_each_layer_is_billed_with_its_own(converted: Converted, token_ids: Tensor) -> None:
    model = converted("llama", dtype=torch.float32, **LAYER | {"timesteps": 3})
    counts = count_pass(model, lambda: model(token_ids), variant="ssa")
    names = {row.name for row in counts.layers}
    layer = "model.layers.0.mlp"
    assert coders_of(f"{layer}.up_proj") & names == {f"{layer}.encoders.up_proj"}
    for name in ("up_proj", "gate_proj"):
        sent, received = (
            counts.layer(f"{layer}.{x}{name}").tally.spikes for x in ("encoders.", "")
        )
        assert sent == received
    assert check_against_fvcore(model, token_ids, counts) == []


def test_it_comes_back_from_the_disk(decoder: Decoder, tmp_path: Path, token_ids: Tensor) -> None:
    model = convert(decoder("llama"), SpikingConfig(**LAYER), [token_ids])
    model.save_pretrained(tmp_path)
    back = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert of_input(back) == OWN["llama"]
    assert torch.equal(back(token_ids).logits, model(token_ids).logits)


def test_zones_of_each_layer_are_trained_and_their_events_counted(
    converted: Converted, token_ids: Tensor
) -> None:
    model = copy.deepcopy(converted("llama", **LAYER | {"resolution": 0.25, "head": True}))
    names = [name for name in OWN["llama"] if "encoders" in name]
    activity = Activity(model)
    with trainable(model, "thresholds"), activity.watching():
        model(token_ids).logits.square().mean().backward()
        events = activity.events_per_mac(12)
        for name in names:
            coder: Any = model.get_submodule(f"model.layers.0.{name}")
            gradient = coder.parametrizations.threshold.original.grad
            assert gradient is not None
            assert bool(gradient.any())
    how: Any = {"variant": "ssa", "label": label, "timesteps": 4}
    counts = count_pass(model, lambda: model(token_ids), **how)
    for block, counted in events.items():
        found = counts.only(block=block)
        assert counted.item() == pytest.approx(found.events_per_mac, rel=1e-6)
    assert all(row.tally.touched_weights for row in counts.layers if row.ops[Op.WEIGHT_READ])
