"""Language models inside of models of text and images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import SIZES

from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, read_shape, wrapper_of
from neurt.loading.models import ModelError, load_model
from neurt.measure.counting import run_count
from neurt.requests.passes import CountRequest

TEXT = {**SIZES, "head_dim": 12}
#: What a model is, what its `text_config` says that it is, and what that is built like.
INSIDE = [
    ("mistral3", "mistral", "mistral"),
    ("mistral3", None, "mistral"),
    ("gemma3", "gemma3_text", "gemma3_text"),
    ("gemma3", None, "gemma3_text"),
    ("llava", "llama", "llama"),
    ("llava", None, "llama"),
    ("llava_next", "mistral", "mistral"),
    ("idefics3", "llama", "llama"),
    ("internvl", "qwen2", "qwen2"),
    ("paligemma", "gemma2", "gemma2"),
    ("qwen3_vl", "qwen3_vl_text", "qwen3"),
    ("qwen2_5_vl", "qwen2_5_vl_text", "qwen2"),
]


def whole(kind: str, said: str | None, **other: Any) -> dict[str, Any]:
    text = TEXT if said is None else {**TEXT, "model_type": said}
    return {"model_type": kind, "text_config": text, "vision_config": {"hidden_size": 8}, **other}


@pytest.mark.parametrize(("kind", "said", "like"), INSIDE)
def test_the_plan_is_that_of_the_language_model(kind: str, said: str | None, like: str) -> None:
    config = whole(kind, said)
    assert wrapper_of(config) == kind
    found, alone = read_shape(config, "m"), read_shape({**TEXT, "model_type": like}, "m")
    assert found == alone
    for what in (prefill(9), decode(30)):
        assert plan_asa(found, what) == plan_asa(alone, what)


def test_the_weights_of_embedding_and_head_may_be_shared_by_the_whole() -> None:
    assert read_shape(whole("llava", "llama", tie_word_embeddings=True), "m").tied
    assert not read_shape(whole("llava", "llama"), "m").tied


def test_sizes_beside_those_of_images_are_those_of_the_language_model() -> None:
    config = {**TEXT, "model_type": "qwen2_5_vl", "rope_scaling": {"type": "mrope"}}
    assert wrapper_of(config) == "qwen2_5_vl"
    assert read_shape(config, "m") == read_shape({**TEXT, "model_type": "qwen2"}, "m")


@pytest.mark.parametrize("kind", ["mllama", "llava"])
def test_what_is_inside_and_not_known_is_refused(kind: str) -> None:
    config = whole(kind, "mllama_text_model")
    assert wrapper_of(config) == ""
    with pytest.raises(ShapeError, match=rf"is a '{kind}', which is no decoder of a known family"):
        read_shape(config, "m")


#: What reads images in the tiny models.
_IMAGES = {"mistral3": "pixtral", "llava": "clip_vision_model", "gemma3": "siglip_vision_model"}


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., str]:
    def make(kind: str, said: str) -> str:
        (tmp_path / kind).mkdir()
        sizes = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 48, "image_size": 28, "patch_size": 14}
        images = _IMAGES.get(kind)
        of_images = {**sizes, "model_type": images} if images else {"depth": 1}
        config = whole(kind, said, vision_config=of_images, mm_tokens_per_image=4)
        (tmp_path / kind / "config.json").write_text(json.dumps(config))
        return str(tmp_path / kind)

    return make


@pytest.mark.parametrize(("kind", "said"), [("mistral3", "mistral"), ("llava", "llama")])
def test_the_count_of_random_weights_is_the_plan(
    kind: str, said: str, directory: Callable[..., str]
) -> None:
    model = directory(kind, said)
    request = CountRequest(model=model, hw=("45nm",), weights="random", seq_len=9, verify=True)
    counts = run_count(request).counts
    planned = plan_asa(read_shape({**TEXT, "model_type": said}, "m"), prefill(9))
    assert counts.dense_macs == planned.dense_macs
    (Path(model) / "model.safetensors").touch()
    with pytest.raises(ModelError, match=rf"is a '{kind}', and of the language model inside no"):
        load_model(model)


def test_a_whole_model_that_transformers_counts_is_named_as_its_language_model(
    directory: Callable[..., str],
) -> None:
    model = directory("gemma3", "gemma3_text")
    request = CountRequest(model=model, hw=("45nm",), weights="random", seq_len=9)
    rows = [row for row in run_count(request).counts.layers if row.calls]
    planned = plan_asa(read_shape({**TEXT, "model_type": "gemma3_text"}, "m"), prefill(9))
    found = [(row.label, row.tally.ops) for row in rows]
    assert all((row.label, row.tally.ops) in found for row in planned.layers)
    assert not [row.name for row in rows if row.label.block == "other"]


def test_a_language_model_that_never_stands_alone_is_planned_and_not_counted(
    directory: Callable[..., str],
) -> None:
    model = directory("qwen3_vl", "qwen3_vl_text")
    request = CountRequest(model=model, hw=("45nm",), weights="random", seq_len=9)
    with pytest.raises(ModelError, match=r"stands alone, to count .* plan it with `neurt-energy"):
        run_count(request)
