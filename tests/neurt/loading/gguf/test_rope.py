from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from neurt.families import read_shape
from neurt.loading.gguf.file import load_gguf
from neurt.loading.gguf.header import GGUFError, read_header
from neurt.loading.gguf.names import config_of

Write = Callable[..., Path]

LLAMA31 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
    "rope_theta": 500000.0,
}


def llama(rope: dict[str, Any]) -> LlamaForCausalLM:
    # Heads of 128 channels, as in Llama 3.1, whose 64 pairs turn at all kinds of frequencies.
    config = LlamaConfig(
        vocab_size=264,
        hidden_size=128,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=131072,
        tie_word_embeddings=True,
        rope_parameters=rope,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return LlamaForCausalLM(config).eval()


def divisors(model: LlamaForCausalLM) -> np.ndarray[Any, Any]:
    """As the file has them: what transformers divides the plain frequencies by."""
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](model.config, torch.device("cpu"))
    plain = 500000.0 ** (-torch.arange(0, 128, 2, dtype=torch.float64) / 128)
    return (plain / scaled).to(torch.float32).numpy()


def test_the_frequencies_of_llama_3_1_are_those_of_its_configuration(write_gguf: Write) -> None:
    model = llama(LLAMA31)
    path = write_gguf(model, extra={"rope_freqs.weight": divisors(model)})
    assert config_of(read_header(path))["rope_parameters"] == LLAMA31
    loaded, _ = load_gguf(path)
    # Positions so far apart that the frequencies decide.
    ids, places = torch.arange(0, 250, 25)[None], torch.arange(0, 10000, 1000)[None]
    with torch.no_grad():
        given, read = (one(ids, position_ids=places).logits for one in (model, loaded))
    assert torch.allclose(read, given, atol=1e-6)
    assert torch.equal(loaded.model.rotary_emb.inv_freq, model.model.rotary_emb.inv_freq)


def test_no_count_depends_on_frequencies(write_gguf: Write) -> None:
    model = llama(LLAMA31)
    scaled = write_gguf(model, extra={"rope_freqs.weight": divisors(model)}, name="scaled.gguf")
    odd = {"rope_freqs.weight": np.linspace(1, 3, 64, dtype=np.float32)}
    others = [write_gguf(model), write_gguf(model, extra=odd, name="odd.gguf")]
    shapes = {read_shape(config_of(read_header(path)), "it") for path in (scaled, *others)}
    assert len(shapes) == 1


@pytest.mark.parametrize(
    "scaling",
    [{"ARCH__rope__scaling__type": "yarn"}, {"ARCH__rope__scaling__factor": 4.0}],
    ids=str,
)
def test_a_scaled_rotation_is_planned_and_not_run(
    write_gguf: Write, scaling: dict[str, object]
) -> None:
    model = llama({"rope_type": "default", "rope_theta": 500000.0})
    path = write_gguf(model, **scaling)
    assert read_shape(config_of(read_header(path)), "it") == read_shape(
        config_of(read_header(write_gguf(model, name="plain.gguf"))), "it"
    )
    [(key, value)] = scaling.items()
    name = key.replace("ARCH", "llama").replace("__", ".")
    with pytest.raises(
        GGUFError, match=f"sets '{name}' to {value!r}; a plan can be made of it, bu"
    ):
        load_gguf(path)


def test_divisors_of_one_change_nothing(write_gguf: Write) -> None:
    model = llama({"rope_type": "default", "rope_theta": 500000.0})
    ones = {"rope_freqs.weight": np.ones(64, np.float32)}
    loaded, _ = load_gguf(write_gguf(model, extra=ones))
    assert loaded.config.rope_parameters["rope_type"] == "default"


@pytest.mark.parametrize("fault", [2.0, math.nan, math.inf, 0.0, -1.0])
def test_other_frequencies_are_planned_and_not_run(write_gguf: Write, fault: float) -> None:
    model = llama(LLAMA31)
    wrong = divisors(model)
    wrong[7] = fault
    path = write_gguf(model, extra={"rope_freqs.weight": wrong})
    assert config_of(read_header(path))["rope_parameters"]["rope_type"] == "default"
    with pytest.raises(GGUFError, match=r"scales its rotary .* otherwise than Llama 3.1 to 3.3; a"):
        load_gguf(path)
