from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

import neurt.loading.saving
from neurt.loading.saving import SaveDtype, round_weights, save_model
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.text.vocabulary import train_tokenizer
from reports.kit.files import OutputError

IDS = torch.arange(24).view(2, 12)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(["a whale"], 262))


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=IDS).logits
    return found


def dtypes(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("kind", ["spiking", "analog"])
def test_what_is_loaded_is_what_was_measured_bit_for_bit(
    spiking: SpikingGPT2LMHeadModel,
    tiny_gpt2: GPT2LMHeadModel,
    tokenizer: Any,
    tmp_path: Path,
    kind: str,
    dtype: SaveDtype,
) -> None:
    model: PreTrainedModel = spiking if kind == "spiking" else tiny_gpt2
    exact = logits(model)
    round_weights(model, dtype)
    measured = logits(model)
    assert torch.equal(exact, measured) == (dtype == "float32")
    files = save_model(model, tokenizer, tmp_path / "new" / "model", dtype)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "new" / "model")
    assert type(loaded) is type(model)
    assert loaded.dtype == torch.float32
    assert torch.equal(logits(loaded), measured)
    assert AutoTokenizer.from_pretrained(tmp_path / "new" / "model").encode("A whale") == (
        tokenizer.encode("A whale")
    )
    assert files[-1].name == "model.safetensors"
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in files} == {usual}  # libraries write private ones
    assert sorted(files) == sorted((tmp_path / "new" / "model").iterdir())  # no scraps
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt", ".jinja"}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_matrices_have_the_type_asked_for_and_tied_ones_are_stored_once(
    spiking: SpikingGPT2LMHeadModel, tokenizer: Any, tmp_path: Path, dtype: SaveDtype
) -> None:
    save_model(spiking, tokenizer, tmp_path, dtype)
    stored = dtypes(tmp_path / "model.safetensors")
    assert stored.keys() == dict(spiking.named_parameters()).keys()  # without lm_head.weight
    for name, parameter in spiking.named_parameters():
        wide = parameter.ndim == 1 or dtype == "float32"
        assert stored[name] == ("F32" if wide else "F16"), name


def test_vectors_are_not_rounded(spiking: SpikingGPT2LMHeadModel) -> None:
    threshold = spiking.transformer.h[0].attn.encoder.threshold
    with torch.no_grad():
        threshold.fill_(1e-9)  # zero in half precision
    before = {name: p.clone() for name, p in spiking.named_parameters()}
    round_weights(spiking, "float16")
    for name, parameter in spiking.named_parameters():
        expected = before[name].half().float() if parameter.ndim > 1 else before[name]
        assert torch.equal(parameter, expected), name


@pytest.mark.parametrize(
    ("value", "dtype", "way_out"),
    [
        (1e5, "float16", "use --save-dtype float32"),  # half precision ends at 65504
        (float("nan"), "float16", "use --save-dtype float32"),
        (float("nan"), "float32", "check the weights"),
    ],
)
def test_what_no_file_can_hold_is_named_and_changes_nothing(
    tiny_gpt2: GPT2LMHeadModel, value: float, dtype: SaveDtype, way_out: str
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.h[1].mlp.c_fc.weight[3, 4] = value
    before = tiny_gpt2.transformer.wte.weight.clone()
    said = refused(OutputError, round_weights, tiny_gpt2, dtype)
    name = "transformer.h.1.mlp.c_fc.weight"
    assert said == f"parameter '{name}' is not finite in {dtype}; {way_out}"
    assert torch.equal(tiny_gpt2.transformer.wte.weight, before)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (SafetensorError("I/O error: No space left"), "I/O error: No space left"),
    ],
)
def test_a_save_that_fails_leaves_the_old_model_whole(
    spiking: SpikingGPT2LMHeadModel,
    tokenizer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    why: str,
) -> None:
    save_model(spiking, tokenizer, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save: Callable[..., None] = spiking.save_pretrained

    def half(directory: str, **how: Any) -> None:
        save(directory, **how)
        (Path(directory) / "model.safetensors").write_bytes(b"half")
        raise error

    monkeypatch.setattr(spiking, "save_pretrained", half)
    with torch.no_grad():
        spiking.transformer.wte.weight.zero_()
    assert (
        refused(OutputError, save_model, spiking, tokenizer, tmp_path)
        == f"'{tmp_path}' cannot be written: {why}"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("killed_at", ["config.json", "model.safetensors"])
def test_a_directory_with_weights_is_never_of_two_models(
    spiking: SpikingGPT2LMHeadModel,
    tokenizer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: str,
) -> None:
    save_model(spiking, tokenizer, tmp_path)
    put = neurt.loading.saving.put

    def killed(made: Path, path: Path) -> Path:
        if path.name == killed_at:
            raise KeyboardInterrupt
        return put(made, path)

    monkeypatch.setattr(neurt.loading.saving, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(spiking, tokenizer, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_directory_that_cannot_be_written_is_said(
    tiny_gpt2: GPT2LMHeadModel, tokenizer: Any, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written: "):
        save_model(tiny_gpt2, tokenizer, tmp_path / "taken")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"
