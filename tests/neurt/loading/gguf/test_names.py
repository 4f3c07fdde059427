from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
from builders import refused
from transformers import AutoConfig, LlamaForCausalLM

from neurt.families import read_shape
from neurt.loading.gguf.header import GGUFError, GGUFHeader, TensorInfo, read_header
from neurt.loading.gguf.names import ARCHITECTURES, architecture, config_of

Write = Callable[..., Path]


def test_the_configuration_is_that_of_the_model(write_gguf: Write, llama: LlamaForCausalLM) -> None:
    config = config_of(read_header(write_gguf(llama)))
    assert read_shape(config, "ours") == read_shape(llama.config.to_dict(), "theirs")
    found = AutoConfig.for_model(**config)
    assert found.rms_norm_eps == pytest.approx(llama.config.rms_norm_eps, rel=1e-6)
    assert found.rope_parameters == llama.config.rope_parameters
    assert (found.bos_token_id, found.eos_token_id) == (None, 0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_are_those_of_the_package_gguf(name: str) -> None:
    number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == name)
    theirs = gguf.get_tensor_name_map(number, 3)
    arch = ARCHITECTURES[name]
    tensors = [f"blk.2.{part}" for part in arch.block] + [n for n in arch.names if n != "blk"]
    for tensor in tensors:
        parameter = arch.parameter(f"{tensor}.weight")
        assert parameter is not None
        assert theirs.get_name(parameter, (".weight",)) == f"{tensor}.weight"
    for tensor in ("blk.2.attn_rot_embd.weight", "blk.weight", "rope_freqs.weight", "output"):
        assert arch.parameter(tensor) is None


@pytest.mark.parametrize("given", ["bert", "t5", "mamba", None, ["llama"]])
def test_another_architecture_is_an_error(given: object) -> None:
    header = GGUFHeader(Path("x.gguf"), {"general.architecture": given}, {})
    assert refused(GGUFError, architecture, header) == (
        f"model file 'x.gguf' is a {given!r}; the architectures that can be loaded from GGUF are "
        "gpt2, llama, qwen2"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"ARCH__rope__scaling__type": "linear"},
            "sets 'llama.rope.scaling.type' to 'linear', whi",
        ),
        ({"ARCH__rope__scaling__factor": 4.0}, "sets 'llama.rope.scaling.factor' to 4.0, which"),
        (
            {"ARCH__expert_count": 8},
            "sets 'llama.expert_count' to 8, which cannot be honoured; give",
        ),
        ({"ARCH__logit_scale": 0.5}, "sets 'llama.logit_scale' to 0.5"),
        (
            {"ARCH__attention__head_count_kv": [2, 1]},
            r"is \[2, 1\]; it must be one positive integer",
        ),
        ({"ARCH__embedding_length": None}, "has no 'llama.embedding_length'; it is not the GGUF"),
        ({"ARCH__rope__dimension_count": 4}, "rotates 4 of the 8 channels of a head, which cannot"),
        ({"ARCH__block_count": 2}, "has tensors of 1 blocks, and 'llama.block_count' is 2"),
        ({"ARCH__vocab_size": 300}, "its embedding of 264 rows: 'llama.vocab_size' is 300, and"),
        ({"tokenizer__ggml__tokens": ["x"] * 265}, "vocab_size' is 264, and its tokenizer has 265"),
        (
            {"drop": ("token_embd.weight",)},
            "has no 'token_embd.weight'; it is not a language model",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_honoured_is_an_error(
    write_gguf: Write, llama: LlamaForCausalLM, changes: dict[str, Any], says: str
) -> None:
    header = read_header(write_gguf(llama, **changes))
    with pytest.raises(GGUFError, match=says):
        config_of(header)


@pytest.mark.parametrize(
    "neutral",
    [{"ARCH__rope__scaling__type": "none"}, {"ARCH__expert_count": 0}, {"ARCH__logit_scale": 1.0}],
    ids=lambda value: next(iter(value)),
)
def test_what_changes_nothing_is_none(
    write_gguf: Write, llama: LlamaForCausalLM, neutral: dict[str, Any]
) -> None:
    plain = config_of(read_header(write_gguf(llama)))
    assert config_of(read_header(write_gguf(llama, **neutral))) == plain


def test_scaled_rotary_frequencies_are_an_error(write_gguf: Write, llama: LlamaForCausalLM) -> None:
    header = read_header(write_gguf(llama))
    scaled = GGUFHeader(
        header.path,
        header.metadata,
        {**header.tensors, "rope_freqs.weight": TensorInfo((4,), 0, 0, 16)},
    )
    with pytest.raises(GGUFError, match="scales its rotary frequencies"):
        config_of(scaled)
