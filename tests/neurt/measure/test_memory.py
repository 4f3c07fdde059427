from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from neurt.cli import main
from neurt.families import Shape, read_shape
from neurt.measure.memory import (
    IDLE_BYTES,
    activation_bytes,
    conversion_bytes,
    count_bytes,
    finetuning_bytes,
    streamed_bytes,
)
from neurt.measure.needs import needs_table
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import DeadZone, SpikingConfig

LOSS = SpikingConfig(dead_zone=DeadZone.LOSS)
OUTPUT = SpikingConfig(dead_zone=DeadZone.OUTPUT)

#: A layer has 4 x 8^2 + 2 x 8 x 32 + 9 x 8 + 32 = 872 parameters; see `test_measuring.py`.
TINY = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=50, positions=16)
LARGE = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=5000, positions=16)


def test_a_count_holds_one_pass_of_one_model() -> None:
    # 2 x 872 and (2 x 50 + 16) x 8 = 928; 2 x 16 x (50 + 4 x 32 + 8 x 8) = 7,744
    assert count_bytes(TINY, 16, 2) == IDLE_BYTES + 4 * (1744 + 928 + 7744)


def test_a_conversion_holds_a_pass_or_what_the_loss_needs() -> None:
    # 16 x (3 x 50 + 4 x 4 x 32 + 3 x 4 x 2 x 16) = 16,736; by loss
    # 16 x (2 x (10 x 8 + 4 x 32 + 2 x 2 x 16) + 5 x 50) = 12,704
    for spiking in (OUTPUT, LOSS):
        assert conversion_bytes(TINY, spiking, 16) == IDLE_BYTES + 4 * (1744 + 928 + 16736)
    # (2 x 5,000 + 16) x 8 = 80,128; 16 x (2 x 272 + 5 x 5,000) = 408,704
    assert conversion_bytes(LARGE, LOSS, 16) == IDLE_BYTES + 4 * (1744 + 80128 + 408704)


def test_a_stream_holds_a_layer_or_the_head() -> None:
    # A token takes 4 x 4 x 32 + 3 x 4 x 2 x 16 + 8 x 8 = 960 in a layer.
    assert streamed_bytes(TINY, LOSS, 16) == IDLE_BYTES + 4 * (872 + 16 * 960)
    assert streamed_bytes(TINY, OUTPUT, 16) == IDLE_BYTES + 4 * (2 * 872 + 16 * 960)
    read = streamed_bytes(TINY, OUTPUT, 16, 2, converts=False)
    assert read == IDLE_BYTES + 4 * (872 + 2 * 16 * 960)
    # (5,000 + 16) x 8 = 40,128, and 16 x 5 x 5,000 or 16 x 4 x 5,000 predictions
    assert streamed_bytes(LARGE, LOSS, 16) == IDLE_BYTES + 4 * (40128 + 400000)
    assert streamed_bytes(LARGE, LOSS, 16, converts=False) == IDLE_BYTES + 4 * (40128 + 320000)


def test_activations_on_the_disk_are_hidden_states() -> None:
    # 100 tokens of 8 values of 4 bytes: in front of 2 layers and behind, and 2 gradients; or 2.
    assert activation_bytes(TINY, LOSS, 100) == 5 * 100 * 32
    assert activation_bytes(TINY, OUTPUT, 100) == 2 * 100 * 32
    assert activation_bytes(TINY, None, 100, read=50) == 4 * 50 * 32


def test_a_training_has_two_models_and_moments() -> None:
    # 2 x (1,744 + 66 x 8 + 16) parameters; of attention 2 x 4 x 64, four times. A token keeps
    # 4 x (3 x 8 + 2 x 32 + 2 x 2 x 16) = 608 and 12 x 8 + 6 x 32 + 4 x 2 x 16 = 416 in each layer.
    held = 3 * 16 * (2 * (608 + 416) + 8 * 50)  # 117,504, of which a tenth is 11,750
    values = 2 * (1744 + 528 + 16) + 4 * 512 + held + 11750
    assert finetuning_bytes(TINY, OUTPUT, 16, 3) == IDLE_BYTES + 4 * values


SMOLLM2 = read_shape(
    {
        **{"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536},
        **{"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
        **{"vocab_size": 49152, "max_position_embeddings": 8192},
        **{"hidden_act": "silu", "tie_word_embeddings": True},
    },
    "SmolLM2-135M",
)


# Peaks of whole processes in MiB on Linux with 1 thread, by `benchmarks/peak_memory.py`.
@pytest.mark.parametrize(
    ("command", "measured_mib"),
    [
        ("count", 1004),
        ("profile", 1461),
        ("convert", 1697),
        ("convert --stream", 885),
        ("evaluate --stream, of a converted one", 778),
        ("finetune", 11901),
    ],
)
def test_what_was_measured_is_a_little_less_than_expected(command: str, measured_mib: int) -> None:
    request = PlanRequest(model="smollm2-135m", hw=(), out=Path("x"))
    [expected] = [
        need.memory_bytes for need in needs_table(request, SMOLLM2).rows if need.command == command
    ]
    assert measured_mib * 2**20 < expected < 1.3 * measured_mib * 2**20


def table(out: Path) -> dict[str, dict[str, str]]:
    text = (out / "memory.csv").read_text(encoding="utf-8")
    return {row["command"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.mark.usefixtures("alone")
def test_a_plan_says_what_each_command_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--hw", "45nm", "--pictures", "none", "--no-page", "--memory"]
    assert main(["plan", "--model", "gpt2-small", *words, "--out", "out"]) == 0
    assert "Memory at most, 124,439,808 parameters in FP32 in one place" in capsys.readouterr().out
    found = table(tmp_path / "out")
    assert [*found] == [
        "count",
        "profile",
        "profile --stream",
        "convert",
        "convert --stream",
        "evaluate",
        "sweep, each point",
        "reproduce, each point",
        "evaluate --stream, of a converted one",
        "finetune",
    ]
    assert {row["model_bytes"] for row in found.values()} == {str(4 * 124_439_808)}
    # 512 tokens of 768 values, 12 + 3 times, beside the model
    assert int(found["convert --stream"]["disk_bytes"]) == 4 * (124_439_808 + 15 * 512 * 768)
    sizes = {name: int(row["memory_bytes"]) for name, row in found.items()}
    assert sizes["convert --stream"] < sizes["convert"]
    assert sizes["profile --stream"] < sizes["profile"]
    # Two hidden states of two models for each of 128 tokens beside those of the conversion.
    disk = int(found["profile --stream"]["disk_bytes"])
    assert disk == 4 * (15 * 512 * 768 + 4 * 128 * 768)
    assert sizes["sweep, each point"] == sizes["evaluate"]
    # The way back needs more than 8 steps do: of each token 12 x (10 x 768 + 4 x 3,072 + 2 x 12 x
    # 128) + 5 x 50,257 = 527,765 values, more than 3 x 50,257 + 4 x 8 x 3,072 + 3 x 8 x 12 x 128 =
    # 285,939.
    assert sizes["reproduce, each point"] == sizes["profile"]


@pytest.mark.usefixtures("alone")
def test_a_model_that_is_not_converted_is_counted_alone(tmp_path: Path) -> None:
    words = ["--hw", "45nm", "--pictures", "none", "--memory", "--out", "out"]
    assert main(["plan", "--model", "Qwen3-8B", *words]) == 0
    assert [*table(tmp_path / "out")] == ["count"]
