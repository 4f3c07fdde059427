"""Every command that runs a model takes a device and a precision, and says what ran where."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from builders import refused
from devices import DEVICES
from safetensors.torch import load_file
from torch import Tensor, nn

from energy.counts.file import read_csv
from neurt.cli import main
from neurt.loading import placement
from neurt.loading.faults import explains_device
from neurt.loading.models import Weights, load_model
from neurt.verbs.commands import COMMANDS, parser

SIZES = {"n_embd": 16, "n_head": 2, "n_layer": 1, "vocab_size": 50257, "n_positions": 64}
#: What each command is called with, beside the model; a `{}` is its output directory.
COMMAND_LINES = {
    "count": "--model model --weights random --hw 45nm --seq-len 8 --verify",
    "profile": "--model model --weights random --hw 45nm --seq-len 8 --verify --no-page",
    "convert": "--model model --weights random --calibration-tokens 64",
    "evaluate": "--model gpt2-nano --max-tokens 64 --window 32 --calibration-tokens 64 "
    "--baselines w8a8 w4a16 zones teal wina twin",
    "sweep": "--model gpt2-nano --max-tokens 64 --window 32 --calibration-tokens 64 "
    "--forms softmax --thresholds 1 --resolutions 1",
    "finetune": "--model gpt2-nano --text corpus --steps 1 --layer-steps 1 --tokens 16 --batch 2 "
    "--held-out-tokens 32 --calibration-tokens 64",
    "pretrain": "--text corpus --steps 2 --warmup-steps 1 --layers 1 --width 8 --heads 2 "
    "--vocabulary 270 --positions 16 --tokens 16 --batch 2",
    "reproduce": "--models gpt2-nano --timesteps 2 --forms softmax --tokens 8 --jobs 1",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model without weights, and a text of some documents."""
    here = tmp_path_factory.mktemp("devices")
    (here / "model").mkdir()
    config = json.dumps({"model_type": "gpt2", **SIZES})
    (here / "model" / "config.json").write_text(config, encoding="utf-8")
    (here / "corpus").mkdir()
    for number in range(11):
        text = f"Document {number} is about the sea, the ship and the whale. " * 8
        (here / "corpus" / f"{number}.txt").write_text(text, encoding="utf-8")
    return here


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("reports.kit.style.save", lambda _, path: path.write_text("", "utf-8"))


def test_every_command_that_places_a_model_is_tried_here() -> None:
    [rooms] = [x for x in parser()._actions if isinstance(x, argparse._SubParsersAction)]
    takes = {
        command.name
        for command in COMMANDS
        if any(
            "--dtype" in x.option_strings for x in rooms.choices[command.name.split()[0]]._actions
        )
    }
    assert takes == {*COMMAND_LINES}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("command", COMMAND_LINES)
def test_it_runs_in_bf16_and_says_so(
    command: str, device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, *COMMAND_LINES[command].split(), "--dtype", "bfloat16", "--device", device]
    out = tmp_path / "out"
    assert main([*words, "--out", str(out)]) == 0, capsys.readouterr().err
    found = str(placement.find_device(device))
    records = {
        **dict.fromkeys(("profile", "evaluate"), "run.json"),
        **{"count": "count.json", "convert": "convert.json", "finetune": "finetune.json"},
    }
    if command in records:
        record = json.loads((out / records[command]).read_text(encoding="utf-8"))
        said = record.get("settings", record)
        assert (said["device"], said["dtype"]) == (found, "bfloat16")
        assert record["versions"]["torch"]
    if command in ("profile", "count", "evaluate"):
        assert f"Ran on {found}" in capsys.readouterr().out
    if command == "sweep":
        assert f",{found},bfloat16," in (out / "sweep.csv").read_text(encoding="utf-8")
    if command == "pretrain":
        assert "--dtype bfloat16" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_counts_of_the_analog_side_do_not_depend_on_the_precision(
    dtype: str, device: str, tmp_path: Path
) -> None:
    def tallies(name: str, *flags: str) -> list[object]:
        line = f"profile {COMMAND_LINES['profile']} --pictures none --quiet"
        assert main([*line.split(), *flags, "--out", str(tmp_path / name)]) == 0
        return [row.tally for row in read_csv(tmp_path / name / "counts.csv")[0].layers]

    assert tallies("half", "--dtype", dtype, "--device", device) == tallies(
        "full", "--device", "cpu"
    )


@pytest.mark.parametrize("device", DEVICES)
def test_layer_by_layer_counts_are_those_of_the_whole(device: str, tmp_path: Path) -> None:
    line = "profile --model gpt2-nano --hw 45nm --prompt 4 --generate 3 --calibration-tokens 64"
    line += f" --pictures none --no-page --quiet --device {device}"
    for name, flags in (("whole", ()), ("streamed", ("--stream",))):
        assert main([*line.split(), *flags, "--out", str(tmp_path / name)]) == 0
    whole, streamed = ((tmp_path / x / "counts.csv").read_bytes() for x in ("whole", "streamed"))
    assert whole == streamed


def test_kernels_change_no_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A kernel has the operations of all its time steps, and takes a compiler that much longer.
    line = f"profile {COMMAND_LINES['profile']} --pictures none --timesteps 2"
    for name, flags in (("steps", ()), ("kernels", ("--compile-codes",))):
        assert main([*line.split(), *flags, "--out", str(tmp_path / name)]) == 0
    assert "Codes and neurons run as compiled kernels" in capsys.readouterr().out
    steps, kernels = ((tmp_path / x / "counts.csv").read_bytes() for x in ("steps", "kernels"))
    assert steps == kernels


REFUSED = {
    "--device gpu": (2, "must be auto, cpu, cuda, cuda:1, mps or xpu, not 'gpu'"),
    "--device cuda:-1": (2, "must be auto, cpu, cuda, cuda:1, mps or xpu"),
    "--device cuda:999": (1, "device 'cuda:999' is not there: torch"),
    "--dtype float8": (2, "invalid choice: 'float8'"),
}


@pytest.mark.parametrize("words", REFUSED)
@pytest.mark.parametrize("command", COMMAND_LINES)
def test_what_cannot_be_is_one_line(
    command: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, sentence = REFUSED[words]
    line = [
        command,
        *COMMAND_LINES[command].split(),
        *words.split(),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(line) == status
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("neurt-energy: ") == 1


@pytest.mark.parametrize("command", ["finetune", "pretrain"])
def test_a_training_in_fp16_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = [command, *COMMAND_LINES[command].split(), "--dtype", "float16", "--out", "never"]
    assert main(line) == 2
    assert "give --dtype bfloat16" in capsys.readouterr().err


def missing(kind: str) -> Callable[..., Tensor]:
    def forward(*_args: object, **_kwargs: object) -> Tensor:
        # The words are torch's own, of an operation that really has none.
        return torch.linalg.qr(torch.ones(2, 2, dtype=getattr(torch, kind)))[0]

    return forward


def test_an_operation_without_fp16_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nn.LayerNorm, "forward", missing("float16"))
    line = ["count", *COMMAND_LINES["count"].split(), "--dtype", "float16", "--device", "cpu"]
    assert main([*line, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "has no float16 on this device; give --dtype bfloat16 or float32" in error


def test_other_errors_of_torch_stay_what_they_are() -> None:
    @explains_device
    def run() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        run()


def test_a_full_device_is_one_line() -> None:
    @explains_device
    def run() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")

    said = "the memory of the device is full (CUDA out of memory); give --dtype bfloat16"
    assert said in refused(placement.DeviceError, run)


def test_a_conversion_in_bf16_is_stored_and_read_in_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = ["convert", *COMMAND_LINES["convert"].split(), "--dtype", "bfloat16", "--device", "cpu"]
    assert main([*line, "--out", str(out)]) == 0
    stored = load_file(out / "model.safetensors")
    for dtype in (torch.float32, torch.bfloat16):
        read = load_model(str(out), device="cpu", dtype=str(dtype).removeprefix("torch."))
        assert read.spiking is not None
        assert read.placement.dtype is dtype
        for name, parameter in read.spiking.named_parameters():
            # Thresholds are stored and read in FP32, whatever the matrices are in.
            wide = name.endswith("threshold")
            assert parameter.dtype is (torch.float32 if wide else dtype)
            if name in stored:
                assert torch.equal(parameter.float(), stored[name].float())
                if wide or parameter.ndim > 1:
                    assert stored[name].dtype is (torch.float32 if wide else torch.bfloat16)


def test_random_weights_of_a_seed_are_the_same_in_every_precision(place: Path) -> None:
    full, half = (
        load_model(str(place / "model"), Weights.RANDOM, 5, device="cpu", dtype=dtype).model
        for dtype in ("float32", "bfloat16")
    )
    for name, parameter in full.named_parameters():
        assert torch.equal(half.get_parameter(name), parameter.to(torch.bfloat16))
