from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from decoders import tiny
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from energy import Label, exposed_attention
from neurt.families import ShapeError
from neurt.loading import foreign as module
from neurt.loading.foreign import Foreign, foreign, load_foreign
from neurt.loading.models import Weights
from neurt.loading.naming import naming
from neurt.loading.source import ModelError
from neurt.loading.tokenizer import gpt2_tokenizer

pytestmark = pytest.mark.usefixtures("alone")

SIZES: dict[str, Any] = {
    "num_hidden_layers": 1,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
}


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., str]:
    """`directory("phi", hidden_size=..)`: the name of one that holds this configuration."""

    def make(kind: str, **sizes: Any) -> str:
        where = tmp_path / f"my-{kind}"
        AutoConfig.for_model(kind, **(SIZES | sizes)).save_pretrained(where)
        return str(where)

    return make


@pytest.fixture
def any_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "tokenizer_for", lambda *_, **__: None)


def found(name: str) -> Foreign:
    it = foreign(name)
    assert it is not None
    return it


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "qwen2"])
def test_a_known_family_is_none(kind: str, directory: Callable[..., str]) -> None:
    assert foreign(directory(kind, num_key_value_heads=1)) is None


@pytest.mark.parametrize("name", ["gpt2-small", "gpt2-nano", "gpt2-nano-spiking", "some/model"])
def test_what_load_model_knows_or_refuses_is_none(name: str) -> None:
    assert foreign(name) is None


@pytest.mark.parametrize("file", ["", "/config.json"])
@pytest.mark.parametrize("kind", ["gpt_neox", "phi", "gemma"])
def test_another_decoder_of_transformers(
    kind: str, file: str, directory: Callable[..., str]
) -> None:
    it = found(directory(kind) + file)
    assert (it.source.name, it.config.model_type) == (f"my-{kind}", kind)
    assert it.source.shape is None
    assert it.source.directory is not None


def test_a_variant_that_its_family_cannot_plan(directory: Callable[..., str]) -> None:
    it = found(directory("opt", activation_function="silu", ffn_dim=12))
    assert "activation_function" in str(it.why)


@pytest.mark.parametrize("kind", ["bert", "t5", "bart"])
def test_what_is_no_decoder_is_refused(kind: str, directory: Callable[..., str]) -> None:
    with pytest.raises(ShapeError, match=rf"is a '{kind}', which is no decoder that stands alone"):
        foreign(directory(kind))


def test_an_encoder_that_is_configured_as_a_decoder_is_one(directory: Callable[..., str]) -> None:
    assert found(directory("bert", is_decoder=True)).config.is_decoder


@pytest.mark.parametrize(
    ("config", "kind", "said"),
    [
        ({"hidden_size": 8}, ShapeError, "does not say its 'model_type'"),
        ({"model_type": "foo"}, ShapeError, "is a 'foo', which is no decoder"),
        ({"model_type": "llama", "num_attention_heads": 0}, ShapeError, r"must be an integer >= 1"),
        (
            {"model_type": "gpt_neox", "hidden_size": 9, "num_attention_heads": 2},
            ModelError,
            "configuration of .* cannot be loaded: .* not divisible",
        ),
    ],
)
def test_a_configuration_of_nothing(
    config: dict[str, Any], kind: type[Exception], said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(kind, match=said):
        foreign(str(tmp_path))


@pytest.mark.usefixtures("any_tokenizer")
@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [("mistral", ShapeError, "must be divisible"), ("qwen3", ModelError, "cannot be made: ")],
)
def test_sizes_that_do_not_fit_each_other(
    kind: str, error: type[Exception], said: str, directory: Callable[..., str]
) -> None:
    it = found(directory(kind, num_key_value_heads=3))
    with pytest.raises(error, match=said):
        load_foreign(it, Weights.RANDOM)


@pytest.mark.usefixtures("any_tokenizer")
def test_random_weights_follow_the_seed_alone(directory: Callable[..., str]) -> None:
    it = found(directory("phi"))
    state = torch.get_rng_state()
    loaded = [load_foreign(it, Weights.RANDOM, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    first, same, other = (one.model.get_input_embeddings().weight for one in loaded)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert [one.weights for one in loaded] == ["random(seed=0)"] * 2 + ["random(seed=1)"]
    assert not loaded[0].model.training
    assert loaded[0].model.dtype is torch.float32


@pytest.mark.usefixtures("any_tokenizer")
@pytest.mark.parametrize("weights", [Weights.AUTO, Weights.PRETRAINED])
def test_a_directory_without_weights_is_refused(
    directory: Callable[..., str], weights: Weights
) -> None:
    with pytest.raises(ModelError, match=r"cannot be had: it has no model\.safetensors; put them"):
        load_foreign(found(directory("phi")), weights)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    config = AutoConfig.for_model("gpt_neox", **(SIZES | {"vocab_size": 50257}))
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "saved")
    gpt2_tokenizer().save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_own_weights_and_tokenizer(saved: Path) -> None:
    loaded = load_foreign(found(str(saved)), Weights.PRETRAINED)
    assert (loaded.name, loaded.weights, loaded.why_random) == ("saved", "local(saved)", "")
    assert loaded.tokenizer.encode("Call me") == [14134, 502]


@pytest.mark.parametrize(
    ("layers", "said"), [(2, "lack .* first 'gpt_neox.layers.1"), (0, "has no place for")]
)
def test_weights_of_another_configuration(saved: Path, layers: int, said: str) -> None:
    path = saved / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"num_hidden_layers": layers}
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=f"{said}.*do not belong together"):
        load_foreign(found(str(saved)))


def test_a_truncated_file_of_weights(saved: Path) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"cannot be loaded: 'model\.safetensors' is cut short"):
        load_foreign(found(str(saved)))


def test_weights_without_their_tokenizer(saved: Path) -> None:
    for path in saved.glob("*token*"):
        path.unlink()
    with pytest.raises(ModelError, match="has no tokenizer files"):
        load_foreign(found(str(saved)))


def named(kind: str, **sizes: Any) -> tuple[PreTrainedModel, Callable[[str], Label]]:
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SIZES | sizes)))
    with exposed_attention(model):
        return model, naming(model)


def test_parts_of_an_unknown_family_that_are_certain_have_names() -> None:
    _, name = named("biogpt")
    layer = "biogpt.layers.0"
    assert name("output_projection") == Label("head", "lm_head")
    assert name("biogpt.embed_tokens") == Label("embedding", "embedding")
    for part in ("scores", "softmax", "mix"):
        assert name(f"{layer}.self_attn.core.{part}") == Label("attention", part, 0)
    assert name(f"{layer}.self_attn.out_proj") == Label("other", "out_proj", 0)
    assert name("biogpt.layer_norm") == Label("other", "layer_norm")


def test_names_of_a_known_family_mean_the_same_elsewhere() -> None:
    _, name = named("gemma", head_dim=4)
    assert name("model.layers.3.self_attn.o_proj") == Label("attention", "proj", 3)
    assert name("model.layers.3.mlp.down_proj") == Label("ffn", "ffn_down", 3)


def test_a_size_of_0_is_an_error_and_no_warning(directory: Callable[..., str]) -> None:
    with pytest.raises(ShapeError, match=r"'vocab_size' \(= 0\) must be"):
        load_foreign(
            found(directory("opt", vocab_size=0, ffn_dim=12, word_embed_proj_dim=8)),
            Weights.RANDOM,
        )


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
@pytest.mark.parametrize("layers", [0, -3])
def test_a_model_without_layers_is_none(
    kind: str, layers: int, directory: Callable[..., str]
) -> None:
    with pytest.raises(ModelError, match="has no layers: 'num_hidden_layers'"):
        load_foreign(found(directory(kind, num_hidden_layers=layers)), Weights.RANDOM)


@pytest.mark.parametrize("kind", ["gpt_neox", "gpt2"])
def test_more_layers_than_any_model_has_are_not_built(
    kind: str, directory: Callable[..., str]
) -> None:
    with pytest.raises(ModelError, match="has more than 1,000 layers"):
        load_foreign(found(directory(kind, num_hidden_layers=10**9)), Weights.RANDOM)


def test_a_size_given_twice_is_not_for_transformers_to_choose(
    directory: Callable[..., str],
) -> None:
    where = directory("gpt2")
    config = Path(where) / "config.json"
    given = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(given | {"num_hidden_layers": 50}), encoding="utf-8")
    with pytest.raises(ShapeError, match=r"'n_layer' .* and 'num_hidden_layers' .* are one size"):
        foreign(where)


@pytest.mark.usefixtures("any_tokenizer")
@pytest.mark.parametrize("kind", ["llama4", "qwen3_5"])
def test_the_language_model_of_one_that_also_sees(kind: str, tmp_path: Path) -> None:
    tiny(kind).save_pretrained(tmp_path)
    loaded = load_foreign(found(str(tmp_path)), Weights.RANDOM)
    assert type(loaded.model).__name__.endswith("ForCausalLM")
