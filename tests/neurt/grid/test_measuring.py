from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurt.families import ALIASES, Shape, read_shape
from neurt.families.parameters import layer_parameters
from neurt.grid.measuring import (
    GIB,
    STAGES,
    Measurement,
    measure,
    memory_bytes,
)
from neurt.measure.memory import evaluation_bytes, peak_bytes
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import Form, SpikingConfig

pytestmark = pytest.mark.usefixtures("alone")


SOFTMAX = Form.SOFTMAX


def ask(model: str, **changes: Any) -> ProfileRequest:
    return ProfileRequest(**{"model": model, "hw": (), "seq_len": 16, "out": Path("x")} | changes)


def test_a_run_is_measured_and_says_how_far_it_is(trained: Path) -> None:
    told: list[tuple[str, int, int]] = []
    threads = torch.get_num_threads()
    try:
        found = measure(ask(str(trained)), 1, lambda *done: told.append(done))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert isinstance(found, Measurement)
    assert (found.asa.variant, found.ssa.variant) == ("asa", "ssa")
    assert found.ssa.timesteps == 4
    assert found.said == (
        f"{trained.name}: weights=local({trained.name})",
        "Dead zones by loss: the weights are trained.",
    )
    assert list(dict.fromkeys(what for what, _, _ in told)) == list(STAGES)


def test_an_error_that_explains_itself_comes_back_as_text(trained: Path) -> None:
    found = measure(ask(str(trained), seq_len=64), None, lambda *_: None)
    assert isinstance(found, str)
    assert found.startswith("64 tokens are more than the 32 positions of")


def test_the_expected_memory_is_a_sum_of_sizes() -> None:
    # parameters 2 x (4 x 8^2 + 2 x 8 x 32 + 9 x 8 + 32) = 1,744 and (2 x 50 + 16) x 8 = 928;
    # 3 x 16 x 50 = 2,400 logits; 4 x 4 x 16 x 32 = 8,192 hidden; 3 x 4 x 2 x 16^2 = 6,144 pairs
    shape = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=50, positions=16)
    values = 1744 + 928 + 2400 + 8192 + 6144
    assert peak_bytes(shape, ask("tiny")) == 640 * 2**20 + 4 * values


def test_the_expected_memory_of_a_llama_is_a_sum_of_its_own_sizes() -> None:
    # Its own head, no positions: 3 x 50 x 8 = 1,200. A layer: Q 8 x 8, K and V 8 x 4 each, output
    # 8 x 8, three of 8 x 32, two norms of 8: 64 + 64 + 64 + 768 + 16 = 976.
    # 3 x 16 x 50 = 2,400 logits; 4 x 4 x 16 x 32 = 8,192 hidden; 3 x 4 x 2 x 16^2 = 6,144 pairs
    bare = {"qkv_bias": False, "out_bias": False, "ffn_bias": False, "tied": False}
    sizes = {"layers": 2, "width": 8, "heads": 2, "kv_heads": 1, "inner": 32, "vocabulary": 50}
    shape = Shape(**sizes, **bare, positions=16, model_type="llama", activation="silu")
    assert layer_parameters(shape, shape.each[0]) == 976
    values = 1200 + 2 * 976 + 2400 + 8192 + 6144
    assert peak_bytes(shape, ask("tiny")) == 640 * 2**20 + 4 * values


# Peaks of whole processes in MiB, measured on Linux with 1 thread and random weights.
@pytest.mark.parametrize(
    ("model", "timesteps", "form", "tokens", "measured_mib"),
    [
        ("gpt2-small", 2, "spikformer", 128, 1141),
        ("gpt2-small", 8, "spikformer", 512, 1254),
        ("gpt2-small", 8, "softmax", 1024, 2501),
        ("gpt2-small", 32, "softmax", 128, 1139),
        ("gpt2-medium", 4, "spikformer", 128, 2101),
        ("gpt2-large", 8, "spikformer", 128, 3798),
    ],
)
def test_what_was_measured_is_less_than_expected(
    model: str, timesteps: int, form: str, tokens: int, measured_mib: int
) -> None:
    how = SpikingConfig(timesteps=timesteps, form=form)  # type: ignore[arg-type]
    expected = peak_bytes(ALIASES[model][1], ask(model, seq_len=tokens, spiking=how))
    assert measured_mib * 2**20 < expected < 2 * measured_mib * 2**20


# The same of evaluations of SmolLM2-135M, converted with dead zones by loss, T = 4.
@pytest.mark.parametrize(("window", "measured_mib"), [(256, 1671), (512, 2937)])
def test_an_evaluation_takes_less_than_expected(window: int, measured_mib: int) -> None:
    shape = read_shape(
        {
            **{"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536},
            **{"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
            **{"vocab_size": 49152, "max_position_embeddings": 8192},
            **{"hidden_act": "silu", "tie_word_embeddings": True},
        },
        "SmolLM2-135M",
    )
    asked = EvaluateRequest(
        model="smollm2-135m", window=window, spiking=SpikingConfig(form=SOFTMAX)
    )
    expected = evaluation_bytes(shape, asked)
    assert measured_mib * 2**20 < expected < 1.3 * measured_mib * 2**20


def test_memory_of_an_evaluation_is_that_of_its_reading_or_of_the_loss() -> None:
    # parameters 1,744 + 928 as above, windows of 16, two at a time: 2 x 16 x (3 x 50 logits
    # + 4 x 4 x 32 hidden + 3 x 4 x 2 x 16 pairs) = 33,472, and 2 x (3 x 2 + 1) x 32 x 8 = 3,584;
    # by loss, one sequence: 16 x (2 x (10 x 8 + 4 x 32 + 2 x 2 x 16) + 5 x 50) = 12,704
    shape = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=50, positions=16)
    spiking = SpikingConfig(form=SOFTMAX)
    asked = EvaluateRequest(model="tiny", batch=2, spiking=spiking)
    assert evaluation_bytes(shape, asked) == 640 * 2**20 + 4 * (1744 + 928 + 33_472 + 3_584)
    # At T = 1 and one window: 16 x (150 + 4 x 32 + 3 x 2 x 16) = 5,984 and 1,792 are less.
    once = asked.model_copy(
        update={"batch": 1, "spiking": spiking.model_copy(update={"timesteps": 1})}
    )
    assert evaluation_bytes(shape, once) == 640 * 2**20 + 4 * (1744 + 928 + 12_704)
    random = once.model_copy(update={"weights": "random"})
    assert evaluation_bytes(shape, random) == 640 * 2**20 + 4 * (1744 + 928 + 5_984 + 1_792)


def test_large_fits_in_24_gib_with_room() -> None:
    how = SpikingConfig(timesteps=8)
    peak = peak_bytes(ALIASES["gpt2-large"][1], ask("gpt2-large", seq_len=128, spiking=how))
    assert peak < 4.6 * GIB  # with trained weights, whose zones by loss need a backward pass


def test_this_machine_has_memory() -> None:
    assert memory_bytes() > GIB
