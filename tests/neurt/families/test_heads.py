"""Models that end in labels: classifications and rewards, planned as hooks count them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from plans import measured, rows, without_the_choice
from tiny_models import MIXTURES, SIZES, TINY
from transformers import AutoConfig, PreTrainedModel

from energy import Attention, Conventions, exposed_attention
from hwmodels import Op
from neurt.closed_form.passes import Pass, PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Head, Shape, ShapeError, names_of, read_shape
from neurt.families.parameters import parameters
from neurt.loading.foreign import foreign
from neurt.loading.models import load_model
from neurt.loading.source import ModelError
from neurt.measure.planning_analog import is_analog_alone, run_analog_plan
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import SpikingConfig

_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 101, "n_positions": 64}
#: Classes of transformers, with what differs from the tiny models of the same type.
CLASSES: dict[str, dict[str, Any]] = {
    "LlamaForSequenceClassification": SIZES,
    "LlamaForTokenClassification": SIZES,
    "MistralForSequenceClassification": {**SIZES, "sliding_window": 4},
    "Qwen2ForTokenClassification": SIZES,
    "GPT2ForSequenceClassification": _GPT2,
    "GPT2ForTokenClassification": _GPT2,
    "Qwen3ForSequenceClassification": {**SIZES, "head_dim": 12},
    "Gemma2ForTokenClassification": {**SIZES, **TINY["gemma2"][1]},
    "GPTNeoXForTokenClassification": SIZES,
    "GPTJForSequenceClassification": {**SIZES, "rotary_dim": 4},
    "BloomForTokenClassification": SIZES,
    "FalconForSequenceClassification": SIZES,
    "OPTForSequenceClassification": {**SIZES, **TINY["opt, norms after and a narrow table"][1]},
    "PhiForSequenceClassification": SIZES,
    "MixtralForSequenceClassification": {**SIZES, **MIXTURES["mixtral"][1]},
    "Qwen3NextForSequenceClassification": {**SIZES, **MIXTURES["qwen3_next"][1]},
}


def tiny(name: str, labels: int = 3) -> PreTrainedModel:
    kind = getattr(transformers, name)
    words = dict.fromkeys(("bos_token_id", "eos_token_id"))
    # A padding token, without which transformers takes no batch; no text here has it.
    config = AutoConfig.for_model(
        kind.config_class.model_type,
        **{**CLASSES[name], **words, "pad_token_id": 0, "num_labels": labels},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = kind(config)
    return model.eval()


def said(model: PreTrainedModel) -> dict[str, Any]:
    """Its configuration, as it is stored."""
    return {**model.config.to_dict(), "architectures": [type(model).__name__]}


def shape_of(model: PreTrainedModel) -> Shape:
    return read_shape(said(model), "it")


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("what", [prefill(9, batch=3), decode(6, batch=2), Pass(2, 3, 8)], ids=str)
def test_the_plan_is_what_the_hooks_count(name: str, what: Pass) -> None:
    model, conventions = tiny(name), Conventions(Attention.CAUSAL)
    with exposed_attention(model, partial=True):
        label = names_of(model.config.model_type).label
        found = rows(measured(model, what, "asa", conventions, label, loose=True))
    planned = rows(plan_asa(shape_of(model), what, conventions))
    assert planned.keys() == found.keys()
    for row in found.values():
        assert without_the_choice(planned[row.name]) == without_the_choice(row)
    assert [row.name for row in found.values() if row.label.component == "lm_head"] == []
    assert parameters(shape_of(model)).total == sum(x.numel() for x in model.parameters())


LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "vocab_size": 128_256,
    "max_position_embeddings": 8192,
}


def test_a_reward_model_of_8b_by_hand() -> None:
    reward = {**LLAMA, "architectures": ["LlamaForSequenceClassification"], "num_labels": 1}
    shape = read_shape(reward, "mine")
    # Of Llama 3 8B without its head: 32 x 218,103,808; one label of 4,096 channels.
    token = 32 * 218_103_808 + 4096
    for what, tokens, pairs in ((prefill(512), 512, 512**2), (decode(1000, batch=2), 2, 2 * 1000)):
        counts = plan_asa(shape, what)
        assert counts.dense_macs == tokens * token + pairs * 32 * 2 * 4096
        assert counts.layer("score").ops[Op.WEIGHT_READ] == 4096
    # The table of tokens is looked up; norms are 65 x 4,096.
    found = parameters(shape)
    assert found.total == token + 128_256 * 4096 + 65 * 4096 == 7_504_928_768
    assert found.looked_up == 128_256 * 4096


@pytest.mark.parametrize(
    ("labels", "number"),
    [({}, 2), ({"id2label": {"0": "no", "1": "yes", "2": "so"}}, 3), ({"num_labels": 7}, 7)],
)
def test_labels_are_as_many_as_a_configuration_names(labels: dict[str, Any], number: int) -> None:
    kind = {"architectures": ["LlamaForTokenClassification"]}
    shape = read_shape({**LLAMA, **kind, **labels}, "mine")
    assert (shape.head, shape.labels, shape.head_bias) == (Head.TOKEN, number, True)
    assert shape.as_dict()["labels"] == number


def test_a_configuration_of_a_language_model_is_one() -> None:
    plain = read_shape(LLAMA, "mine")
    for named in (["LlamaForCausalLM"], ["GPT2LMHeadModel"], [], None, "x", [3]):
        assert read_shape({**LLAMA, "architectures": named}, "mine") == plain
    assert not {"head", "labels"} & plain.as_dict().keys()


def test_one_class_that_is_named_without_a_list_is_that_class() -> None:
    named = "LlamaForSequenceClassification"
    listed = read_shape({**LLAMA, "architectures": [named]}, "mine")
    assert listed.head is Head.SEQUENCE
    assert read_shape({**LLAMA, "architectures": named}, "mine") == listed


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"architectures": ["LlamaForQuestionAnswering"]}, "has a head without a plan; planned"),
        ({"num_labels": 0}, "'num_labels' (= 0) must be an integer >= 1"),
        ({"id2label": ["no"]}, "'id2label' (= ['no']) must name a label for each number"),
        ({"id2label": {}}, "must name a label for each number"),
    ],
)
def test_a_head_of_nothing_is_refused(changed: dict[str, Any], sentence: str) -> None:
    kind = {"architectures": ["LlamaForSequenceClassification"]}
    with pytest.raises(ShapeError) as refused:
        read_shape({**LLAMA, **kind, **changed}, "mine")
    assert sentence in str(refused.value)


def stored(name: str, tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(said(tiny(name))), encoding="utf-8")
    return tmp_path


def test_a_plan_says_which_head_it_is(tmp_path: Path) -> None:
    path = stored("LlamaForSequenceClassification", tmp_path)
    request = PlanRequest(model=str(path), hw=("45nm",), out=tmp_path / "out", seq_len=8)
    assert is_analog_alone(request)
    run = run_analog_plan(request)
    assert any(
        "It ends in 3 labels of each sequence: a score of every token" in x for x in run.said
    )
    assert run.settings["shape"]["head"] == "sequence"  # type: ignore[index]


@pytest.mark.parametrize(
    "name", ["LlamaForSequenceClassification", "Qwen3ForSequenceClassification"]
)
def test_what_predicts_no_tokens_is_not_run(name: str, tmp_path: Path) -> None:
    path = str(stored(name, tmp_path))
    with pytest.raises(ModelError, match="ends in 3 labels of a sequence, and only models that"):
        foreign(path) or load_model(path)


def test_what_predicts_no_tokens_is_not_converted() -> None:
    kind = {"architectures": ["LlamaForTokenClassification"]}
    with pytest.raises(
        PlanError, match="ends in 2 labels of a token is planned, and not converted"
    ):
        plan_ssa(read_shape({**LLAMA, **kind}, "mine"), prefill(8), SpikingConfig(), 0.2)
