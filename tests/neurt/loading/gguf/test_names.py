from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builders import refused
from transformers import AutoConfig, LlamaForCausalLM

from neurt.families import read_shape
from neurt.loading.gguf.architectures import ARCHITECTURES
from neurt.loading.gguf.header import GGUFError, GGUFHeader, read_header
from neurt.loading.gguf.names import architecture, config_of
from neurt.loading.gguf.planned import PLANNED

Write = Callable[..., Path]

#: Divisors of the frequencies of the 4 pairs of channels of a head.
HALF = np.full(4, 2, np.float32)


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
        f"gpt2, llama, qwen2, qwen3, and planned are {', '.join(PLANNED)} too"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ARCH__expert_count": 8}, "has no 'llama.expert_used_count'; it is not the GGUF"),
        ({"ARCH__residual_scale": 0.5}, "to 0.5, which cannot be honoured; give"),
        ({"ARCH__logit_scale": 0.5}, "sets 'llama.logit_scale' to 0.5"),
        (
            {"ARCH__attention__head_count_kv": [2, 1]},
            r"is \[2, 1\]; it must be one positive integer",
        ),
        ({"ARCH__embedding_length": None}, "has no 'llama.embedding_length'; it is not the GGUF"),
        ({"ARCH__rope__dimension_count": 4}, "rotates 4 of the 8 channels of a head, which cannot"),
        ({"ARCH__block_count": 2}, "lacks 9 of its 20 tensors, first 'blk.1.att"),
        ({"ARCH__vocab_size": 300}, "its embedding of 264 rows: 'llama.vocab_size' is 300, and"),
        ({"tokenizer__ggml__tokens": ["x"] * 265}, "vocab_size' is 264, and its tokenizer has 265"),
        ({"ARCH__embedding_length": 48}, r"has the shape \(\d+.*\), where its sizes want"),
        ({"ARCH__block_count": 1_000}, "lacks 8,991 of its 9,002 tensors, first"),
        ({"ARCH__rope__freq_base": [1.0]}, r"freq_base' of .* is \[1.0\]; it must be one number"),
        ({"ARCH__rope__freq_base": math.nan}, "freq_base' of .* is nan; it must be a finite num"),
        (
            {"ARCH__attention__layer_norm_rms_epsilon": -1.0},
            "epsilon' of .* is -1.0; it must be a finite number above 0",
        ),
        ({"tokenizer__ggml__tokens": 3}, "tokens' of .* is 3; it must be a list of texts"),
        (
            {"tokenizer__ggml__eos_token_id": [1]},
            r"eos_token_id' of .* is \[1\]; it must be the",
        ),
        (
            {"split__count": 2, "split__no": 2},
            "'split.no' of .* is 2; it must be 0 to 1, for",
        ),
        (
            {"split__count": 2, "split__no": 1},
            "is part 2 of the 2 of a model, and the first one",
        ),
        (
            {"split__count": 2, "split__no": 0, "split__tensors__count": 10},
            "'split.tensors.count' of .* is 10; it must be 11 for its sizes",
        ),
        (
            {"extra": {"blk.0.attn_q_norm.weight": HALF}},
            "'blk.0.attn_q_norm.weight' of .* has no",
        ),
        ({"extra": {"blk.01.attn_q.weight": HALF}}, "'blk.01.attn_q.weight' of .* has no place in"),
        ({"extra": {"rope_freqs.weight": HALF[:3]}}, r"shape \(3,\), where its sizes want \(4,\)"),
        (
            {"extra": {"rope_freqs.weight": np.ones((2, 2), np.float32)}},
            r"must be one FP32 number for each pair .*, and has the shape \(2, 2\)",
        ),
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


# Files of several parts


def in_two(write_gguf: Write, model: LlamaForCausalLM, **changed: Any) -> GGUFHeader:
    """The first part, which lacks the feed-forward block."""
    kept = ("ffn_gate", "ffn_up", "ffn_down")
    away = [f"blk.0.{name}.weight" for name in kept]
    split = {"split__no": 0, "split__count": 2, "split__tensors__count": 11}
    return read_header(write_gguf(model, drop=tuple(away), **split | changed))


def test_the_first_part_of_a_model_says_what_the_model_is(
    write_gguf: Write, llama: LlamaForCausalLM
) -> None:
    assert config_of(in_two(write_gguf, llama)) == config_of(read_header(write_gguf(llama)))


def test_the_number_of_tensors_says_whether_the_other_part_has_an_output_layer(
    write_gguf: Write, llama: LlamaForCausalLM
) -> None:
    # One layer of 9 tensors, the embedding, the last norm: 11, and 12 with an output layer.
    assert config_of(in_two(write_gguf, llama))["tie_word_embeddings"]
    untied = in_two(write_gguf, llama, split__tensors__count=12)
    assert not config_of(untied)["tie_word_embeddings"]


def test_a_first_part_without_the_number_of_all_tensors_is_an_error(
    write_gguf: Write, llama: LlamaForCausalLM
) -> None:
    with pytest.raises(GGUFError, match=r"has no 'split\.tensors\.count'"):
        config_of(in_two(write_gguf, llama, split__tensors__count=None))
