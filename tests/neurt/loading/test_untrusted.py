"""Directories of others: nothing in them runs, no path leads out, each fault is one line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from neurt.loading.foreign import foreign
from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.loading.saving import save_model
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert

SIZES: dict[str, Any] = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 16}


class Bomb:
    # A pickle that leaves a mark when it is read.

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "code-ran"


@pytest.fixture
def directory(tmp_path: Path, mark: Path, words: Any) -> Path:
    # A tiny GPT-2 with a tokenizer; beside it a pickle and a module that both leave the mark.
    path = tmp_path / "theirs"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = GPT2Config(vocab_size=101, bos_token_id=None, eos_token_id=None, **SIZES)
        GPT2LMHeadModel(config).save_pretrained(path)
    words("Hello", "world").save_pretrained(path)
    (path / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    (path / "evil.py").write_text(
        f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nclass It: pass\n", encoding="utf-8"
    )
    return path


def put(path: Path, **changed: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(content | changed), encoding="utf-8")


def sharded(directory: Path, *names: Any, **extra: str) -> dict[str, str]:
    """Move the weights into shards of these names, and write the index."""
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    parts: list[dict[str, torch.Tensor]] = [{} for _ in names]
    placed = {}
    for at, (name, tensor) in enumerate(sorted(tensors.items())):
        parts[at % len(names)][name] = tensor
        placed[name] = names[at % len(names)]
    for name, part in zip(names, parts, strict=True):
        if isinstance(name, str) and name.endswith(".safetensors") and "/" not in name:
            save_file(part, directory / name)
    put(directory / "model.safetensors.index.json", weight_map=placed | extra)
    return placed


def test_shards_are_one_model(directory: Path) -> None:
    whole = load_model(str(directory)).model.state_dict()
    sharded(directory, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    found = load_model(str(directory)).model.state_dict()
    assert all(torch.equal(found[name], whole[name]) for name in whole)


OUTSIDE = [
    "pytorch_model.bin",
    "../theirs/model.safetensors",
    "/tmp/model.safetensors",
    "sub/model.safetensors",
    "..\\model.safetensors",
    "C:model.safetensors",
    ".safetensors/../x",
    "",
    ".safetensors",
    7,
    None,
    ["model.safetensors"],
]


@pytest.mark.parametrize("name", OUTSIDE, ids=repr)
def test_an_index_names_safetensors_files_beside_it(
    directory: Path, mark: Path, name: object
) -> None:
    sharded(directory, "a.safetensors")
    index = directory / "model.safetensors.index.json"
    placed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    put(index, weight_map=placed | {"lm_head.weight": name})
    assert refused(ModelError, load_model, str(directory)) == (
        f"'{index}' has tensor 'lm_head.weight' in {name!r}; only safetensors files beside it are "
        "read, each by its name"
    )
    assert not mark.exists()


@pytest.mark.parametrize("placed", [None, {}, [], "model.safetensors"], ids=repr)
def test_an_index_without_a_map_is_refused(directory: Path, placed: object) -> None:
    sharded(directory, "a.safetensors")
    put(directory / "model.safetensors.index.json", weight_map=placed)
    assert "must say in 'weight_map' which file" in refused(ModelError, load_model, str(directory))


def test_a_missing_shard_is_named(directory: Path) -> None:
    sharded(directory, "a.safetensors", "b.safetensors")
    (directory / "b.safetensors").unlink()
    said = refused(ModelError, load_model, str(directory))
    assert said == f"weights '{directory / 'b.safetensors'}' does not exist"


def test_a_tensor_in_two_shards_is_named(directory: Path) -> None:
    placed = sharded(directory, "a.safetensors", "b.safetensors")
    twice = next(name for name, file in placed.items() if file == "a.safetensors")
    tensors = load_file(directory / "b.safetensors")
    save_file(tensors | {twice: torch.ones(1)}, directory / "b.safetensors")
    assert refused(ModelError, load_model, str(directory)).endswith(
        f"'{twice}' is in 'b.safetensors' and in another file"
    )


@pytest.mark.parametrize("name", ["model.safetensors", "b.safetensors"])
def test_a_pointer_of_git_lfs_is_named_with_the_way_out(directory: Path, name: str) -> None:
    if name != "model.safetensors":
        sharded(directory, "a.safetensors", name)
    (directory / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", encoding="utf-8"
    )
    assert refused(ModelError, load_model, str(directory)) == (
        f"weights '{directory / name}' are a Git LFS pointer, three lines that stand for the file; "
        f"run `git lfs pull` in '{directory}'"
    )


@pytest.mark.parametrize("what", ["directory", "pipe", "nothing"])
def test_weights_are_a_regular_file(directory: Path, tmp_path: Path, what: str) -> None:
    import os

    weights = directory / "model.safetensors"
    weights.unlink()
    if what == "directory":
        weights.mkdir()
    elif what == "pipe":
        os.mkfifo(weights)
    else:
        weights.symlink_to(tmp_path / "absent")
    says = {"directory": "a directory", "pipe": "a named pipe", "nothing": "does not exist"}[what]
    assert says in refused(ModelError, load_model, str(directory))


def test_weights_may_be_linked_as_the_cache_of_the_hub_links_them(
    directory: Path, tmp_path: Path
) -> None:
    blob = (directory / "model.safetensors").rename(tmp_path / "0a1b2c")
    (directory / "model.safetensors").symlink_to(blob)
    assert load_model(str(directory)).weights == "local(theirs)"


def test_a_shape_that_differs_is_named(directory: Path) -> None:
    tensors = load_file(directory / "model.safetensors")
    tensors["transformer.wpe.weight"] = torch.ones(16, 9)
    save_file(tensors, directory / "model.safetensors")
    assert refused(ModelError, load_model, str(directory)) == (
        f"weights of '{directory}' have 1 parameter of another shape than its config.json, first "
        "'transformer.wpe.weight': (16, 9), and not (16, 8)"
    )


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_whole_numbers_are_no_weights(directory: Path, prefix: str) -> None:
    tensors = load_file(directory / "model.safetensors")
    named = {name.replace("transformer.", prefix): x for name, x in tensors.items()}
    name = f"{prefix}wpe.weight"
    save_file(named | {name: torch.ones(16, 8).to(torch.int8)}, directory / "model.safetensors")
    assert f"'{name}' is torch.int8" in refused(ModelError, load_model, str(directory))


def test_masks_that_old_checkpoints_hold_are_no_weights(directory: Path) -> None:
    tensors = load_file(directory / "model.safetensors")
    tensors["transformer.h.0.attn.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    save_file(tensors, directory / "model.safetensors")
    assert load_model(str(directory)).weights == "local(theirs)"


#: Keys by which a configuration has code run, packages loaded or files opened.
CODE: dict[str, Any] = {
    "auto_map": {
        "AutoConfig": "evil.It",
        "AutoModelForCausalLM": "evil.It",
        "AutoTokenizer": ["evil.It", None],
    },
    "custom_code": "evil.py",
    "custom_generate": "evil.py",
    "custom_pipelines": {"text-generation": {"impl": "evil.It"}},
    "trust_remote_code": True,
    "transformers_weights": "pytorch_model.bin",
    "attn_implementation": "someone/kernel",
    "_attn_implementation": "someone/kernel",
    "_attn_implementation_internal": "someone/kernel",
    "experts_implementation": "someone/kernel",
    "fusion_config": {"patch_embeddings": True},
    "extra_files": ["pytorch_model.bin"],
    "use_kernels": True,
    "gguf_file": "evil.gguf",
    "_name_or_path": "pytorch_model.bin",
    "torch_dtype": "load",
}


@pytest.mark.parametrize("weights", [Weights.PRETRAINED, Weights.RANDOM])
@pytest.mark.parametrize("key", CODE)
def test_no_key_of_a_configuration_runs_code(
    directory: Path, mark: Path, key: str, weights: Weights
) -> None:
    put(directory / "config.json", **{key: CODE[key]})
    put(directory / "generation_config.json", **{key: CODE[key]})
    put(directory / "tokenizer_config.json", **{key: CODE[key]})
    config = load_model(str(directory), weights).model.config
    assert not mark.exists()
    assert "evil" not in config.to_json_string()
    assert config._attn_implementation in ("sdpa", "eager")


@pytest.mark.parametrize("key", ["to_dict", "save_pretrained", "__class__", "__dict__"])
def test_a_key_that_replaces_a_method_is_refused(directory: Path, key: str) -> None:
    put(directory / "config.json", **{key: {}})
    assert f"'{key}' is no size" in refused(ModelError, load_model, str(directory))


def test_an_adapter_beside_the_weights_is_not_followed(directory: Path, mark: Path) -> None:
    put(directory / "adapter_config.json", peft_type="LORA", base_model_name_or_path="../theirs")
    (directory / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    assert load_model(str(directory)).weights == "local(theirs)"
    assert not mark.exists()


def test_weights_that_only_claim_to_be_quantised_are_refused(directory: Path) -> None:
    put(directory / "config.json", quantization_config={"quant_method": "awq", "bits": 4})
    assert "that they are quantised, and none of its tensors is; take it out" in refused(
        ModelError, load_model, str(directory)
    )
    config = load_model(str(directory), Weights.RANDOM).model.config
    assert not hasattr(config, "quantization_config")


@pytest.mark.parametrize("key", ["auto_map", "custom_code"])
def test_another_decoder_of_transformers_runs_no_code_either(
    tmp_path: Path, directory: Path, mark: Path, key: str
) -> None:
    put(directory / "config.json", model_type="gpt_neox", **{key: CODE[key]})
    it = foreign(str(directory))
    assert it is not None
    assert not hasattr(it.config, key)
    assert not mark.exists()


@pytest.mark.parametrize("content", ["null", "[]", "{", '{"top_k": "x", "temperature": 0.6}'])
def test_what_is_said_of_generation_is_not_read(directory: Path, content: str) -> None:
    # No count depends on it.
    (directory / "generation_config.json").write_text(content, encoding="utf-8")
    assert load_model(str(directory)).weights == "local(theirs)"


def converted(directory: Path, out: Path) -> LoadedModel:
    loaded = load_model(str(directory))
    text = torch.randint(0, 3, (1, 16), generator=torch.Generator().manual_seed(2))
    save_model(convert(loaded.model, SpikingConfig(), [text]), loaded.tokenizer, out)
    return loaded


def test_a_conversion_copies_no_code(directory: Path, tmp_path: Path, mark: Path) -> None:
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        put(directory / name, **{key: CODE[key] for key in ("auto_map", "custom_code")})
    converted(directory, tmp_path / "out")
    written = [path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.json")]
    assert not any("evil" in text or "auto_map" in text for text in written)
    assert not mark.exists()


def test_a_model_of_the_caller_is_converted_without_its_code(tmp_path: Path) -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=101, auto_map=CODE["auto_map"], **SIZES)).eval()
    spiking = convert(model, SpikingConfig(), [torch.zeros(1, 8, dtype=torch.long)])
    assert "evil" not in spiking.config.to_json_string()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_an_impossible_threshold_of_a_converted_model_is_refused(
    directory: Path, tmp_path: Path, value: float
) -> None:
    converted(directory, tmp_path / "out")
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    name = "transformer.h.0.attn.encoder.threshold"
    tensors[name][3] = value
    save_file(tensors, path, metadata={"format": "pt"})
    said = refused(ModelError, load_model, str(tmp_path / "out"))
    assert f"'{name}' holds " in said


def test_a_converted_model_without_weights_is_to_be_saved_again(
    directory: Path, tmp_path: Path
) -> None:
    converted(directory, tmp_path / "out")
    (tmp_path / "out" / "model.safetensors").unlink()
    for weights in (Weights.AUTO, Weights.PRETRAINED):
        said = refused(ModelError, load_model, str(tmp_path / "out"), weights)
        assert said.endswith("it has no model.safetensors; save it again")


@pytest.mark.parametrize(
    ("spiking", "said"),
    [
        (None, "a converted model must say in 'spiking' how it was converted; convert it again"),
        ([4], "'spiking' (= [4]) must be an object"),
        ({"timesteps": "4"}, "'spiking.timesteps' (= '4') is no choice of a conversion: Input "),
        ({"form": "softmax", "attention": "softmax"}, "'attention', its name in version 0.1; keep"),
    ],
)
def test_choices_that_no_model_was_converted_with_are_named(
    directory: Path, tmp_path: Path, spiking: object, said: str
) -> None:
    converted(directory, tmp_path / "out")
    put(tmp_path / "out" / "config.json", spiking=spiking)
    found = refused(ModelError, load_model, str(tmp_path / "out"))
    assert found.startswith(f"configuration of '{tmp_path / 'out'}' cannot be loaded: ")
    assert said in found
