from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from torch import Tensor, nn
from transformers import BertConfig, BertModel, GPT2LMHeadModel, PreTrainedModel

from hwmodels import Dataflow, ProfileError, load_profile
from hwmodels.errors import UserError
from neurt import SpikingConfig, profile_model
from neurt.closed_form.passes import PlanError, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Shape, read_shape
from neurt.measure.in_memory import ArgumentError
from neurt.spiking.conversion import ConversionError, convert
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.text.data import TextError

TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)


def test_a_model_in_memory_is_counted_as_the_plan_says(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    run = profile_model(tiny_gpt2, token_ids)
    planned = plan_asa(TINY, prefill(12, batch=2))
    assert {x.name: x.tally for x in run.asa.layers} == {x.name: x.tally for x in planned.layers}
    assert (run.asa.model, run.asa.weights, run.asa.tokens) == ("GPT2LMHeadModel", "in memory", 24)
    assert run.ssa.timesteps == 4
    assert run.ssa.only(block="attention").events_per_mac > 0
    assert run.settings["calibration"] == "the same token ids"
    assert {one.step for one in run.steps} == {0, 1, 2, 3}
    assert len(run.to_frame("layers")) == len(run.asa.layers) + len(run.ssa.layers)


def test_what_is_chosen_arrives(tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor) -> None:
    mine = load_profile("45nm").model_copy(update={"name": "mine"})
    run = profile_model(
        tiny_gpt2,
        token_ids,
        hw=("loihi", mine),
        spiking=SpikingConfig(timesteps=2, form="softmax"),
        calibration=[token_ids[:1]],
        name="my model",
        weights="trained(by me)",
        attention="causal",
        dataflow=Dataflow.STEPWISE,
    )
    assert [profile.name for profile in run.profiles] == ["loihi", "mine"]
    assert run.int8 == {}  # neither has INT8 prices
    assert list(profile_model(tiny_gpt2, [1]).int8) == ["45nm"]
    assert (run.ssa.timesteps, run.ssa.attention) == (2, "causal")
    assert run.title == "my model, weights trained(by me), T = 2"
    assert run.settings["spiking"]["form"] == "softmax"
    assert run.settings["calibration"] == "other token ids of the caller"
    assert {side.dataflow for pair in run.estimates.values() for side in pair} == {"stepwise"}


def test_a_converted_model_is_counted_as_it_is(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    run = profile_model(spiking, token_ids)
    assert run.settings["calibration"] == "stored with the model"
    assert run.asa.total("mac") > run.ssa.total("mac")
    with pytest.raises(ValueError, match="has its own spiking configuration"):
        profile_model(spiking, token_ids, spiking=SpikingConfig())


def test_the_model_is_left_as_it_was(tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor) -> None:
    def state(model: nn.Module) -> dict[str, Any]:
        return {name: value.clone() for name, value in model.state_dict().items()}

    before, config = state(tiny_gpt2), tiny_gpt2.config.to_dict()
    attention = tiny_gpt2.config._attn_implementation
    tiny_gpt2.train()
    profile_model(tiny_gpt2, token_ids)
    assert tiny_gpt2.training
    assert tiny_gpt2.transformer.h[0].attn.training
    assert tiny_gpt2.config.to_dict() == config
    assert tiny_gpt2.config._attn_implementation == attention
    assert all(p.requires_grad for p in tiny_gpt2.parameters())
    after = state(tiny_gpt2)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(module._forward_hooks for module in tiny_gpt2.modules())


def test_dropout_is_off_while_a_training_model_is_counted(
    tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor
) -> None:
    first = profile_model(tiny_gpt2.train(), token_ids)
    assert first.ssa == profile_model(tiny_gpt2.eval(), token_ids).ssa


@pytest.mark.parametrize(
    "ids", [[1, 2, 3], [[1, 2, 3]], torch.tensor([1, 2, 3], dtype=torch.int32)]
)
def test_token_ids_come_in_several_forms(tiny_gpt2: GPT2LMHeadModel, ids: Any) -> None:
    run = profile_model(tiny_gpt2, ids)
    assert (run.asa.batch, run.asa.tokens) == (1, 3)


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([], r"at least one, not torch.float32 of shape \(1, 0\)"),
        ([1.5], "must be whole numbers"),
        ([True], "must be whole numbers"),
        ([[[1]]], r"of shape \(1, 1, 1\)"),
    ],
)
def test_what_is_no_token_id_is_refused(tiny_gpt2: GPT2LMHeadModel, ids: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        profile_model(tiny_gpt2, ids)


def test_what_cannot_be_done_is_explained(tiny_gpt2: GPT2LMHeadModel) -> None:
    with pytest.raises(TextError, match="101"):
        profile_model(tiny_gpt2, [101])
    with pytest.raises(TextError, match="101"):
        profile_model(tiny_gpt2, [1], calibration=[torch.tensor([[101]])])
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions"):
        profile_model(tiny_gpt2, [1] * 65)
    with pytest.raises(ProfileError, match="no-such-chip"):
        profile_model(tiny_gpt2, [1], hw=("no-such-chip",))
    with pytest.raises(ValueError, match="give `hw` at least one profile"):
        profile_model(tiny_gpt2, [1], hw=())
    config = BertConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1, vocab_size=9)
    with pytest.raises(
        ConversionError, match="cannot convert a BertModel; give one of transformers"
    ):
        profile_model(BertModel(config), [1])


def test_a_model_is_called_after_the_directory_it_came_from(
    tiny_gpt2: GPT2LMHeadModel, tmp_path: Path
) -> None:
    tiny_gpt2.save_pretrained(tmp_path / "mine")
    loaded = GPT2LMHeadModel.from_pretrained(tmp_path / "mine")
    assert profile_model(loaded, [1]).asa.model == "mine"


@pytest.mark.parametrize("form", ["softmax", "spikformer"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2"])
def test_a_decoder_in_memory_is_counted_as_the_plan_says(
    decoder: Callable[..., PreTrainedModel], token_ids: Tensor, kind: str, form: str
) -> None:
    model = decoder(kind, 6, 2)
    config = model.config.to_dict()
    spiking = SpikingConfig(form=form, code="sar", timesteps=2)
    run = profile_model(model, token_ids, spiking=spiking)
    planned = plan_asa(read_shape(config, kind), prefill(12, batch=2))
    assert {x.name: x.tally for x in run.asa.layers} == {x.name: x.tally for x in planned.layers}
    assert {x.name for x in planned.layers} >= {f"model.layers.{i}.mlp.multiply" for i in (0, 1)}
    assert run.asa.model == f"{type(model).__name__}"
    assert run.ssa.only(block="attention").events_per_mac > 0
    assert "other" not in {layer.label.block for layer in (*run.asa.layers, *run.ssa.layers)}
    assert model.config.to_dict() == config
    assert not any(module._forward_hooks for module in model.modules())
    # A converted one is counted as the conversion above.
    again = profile_model(convert(model, spiking, [token_ids]), token_ids)
    assert (again.asa.layers, again.ssa.layers) == (run.asa.layers, run.ssa.layers)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ("Call me Ishmael", "as a tokenizer makes them of a text, and not 'Call me Ishmael'"),
        ([[1, 2], [3]], "as a tokenizer makes them of a text, and not [[1, 2], [3]]"),
        (None, "as a tokenizer makes them of a text, and not None"),
        ([], "at least one, not torch.float32 of shape (1, 0)"),
        ([True, False], "at least one, not torch.bool of shape (1, 2)"),
    ],
)
def test_what_is_no_token_ids_is_one_sentence(
    tiny_gpt2: GPT2LMHeadModel, ids: Any, said: str
) -> None:
    assert refused(ArgumentError, profile_model, tiny_gpt2, ids).endswith(said)


def test_what_is_no_model_is_one_sentence(tiny_gpt2: GPT2LMHeadModel) -> None:
    said = refused(ConversionError, profile_model, "gpt2-small", [1, 2])  # type: ignore[arg-type]
    assert said.startswith("cannot convert a str; give one of transformers' GPT2LMHeadModel")
    choices: Any = {"form": "softmax"}
    for call in (
        lambda: profile_model(tiny_gpt2, [1, 2], spiking=choices),
        lambda: convert(tiny_gpt2, choices, [torch.zeros(1, 2, dtype=torch.long)]),
    ):
        assert refused(UserError, call) == (
            "`spiking` must be a SpikingConfig, and not {'form': 'softmax'}"
        )
