from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import neurt.streaming.shards
from neurt.cli import main
from neurt.streaming.state import Step

pytestmark = pytest.mark.usefixtures("alone", "sketched")

#: Two layers and what is outside of them.
WEIGHTS = {f"model-{at:05}-of-00003.safetensors" for at in (1, 2, 3)}
READING = ["--max-tokens", "64", "--window", "16", "--pictures", "none"]

Run = Callable[..., str]


@pytest.fixture
def run(trained: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("convert", ...)`: what it prints; `status=1`: what its error says, in one line."""

    def call(command: str, *words: str, model: Path = trained, status: int = 0) -> str:
        assert main([command, "--model", str(model), *words]) == status
        out, error = capsys.readouterr()
        assert "Traceback" not in error
        return error.strip().splitlines()[-1] if status else out

    return call


def texts(directory: Path) -> dict[str, str]:
    """All files but weights and records that say when they were made."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in directory.iterdir()
        if path.suffix != ".safetensors" and path.name not in ("convert.json", "run.json")
    }


def record(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key != "created"}


def weights(directory: Path) -> dict[str, list[Any]]:
    files = sorted(directory.glob("*.safetensors"))
    return {name: x.tolist() for file in files for name, x in load_file(file).items()}


@pytest.mark.parametrize("dead_zone", ["output", "loss"])
def test_what_is_written_layer_by_layer_is_the_same(
    run: Run, tmp_path: Path, dead_zone: str
) -> None:
    whole, streamed = tmp_path / "whole", tmp_path / "streamed"
    run("convert", "--out", "whole", "--dead-zone", dead_zone)
    said = run("convert", "--out", "streamed", "--dead-zone", dead_zone, "--stream")
    assert said.startswith("tiny: weights=local(tiny), layer by layer\n")
    assert weights(streamed) == weights(whole)
    index = "model.safetensors.index.json"
    assert texts(streamed).keys() - texts(whole).keys() == {index}
    assert {name: texts(streamed)[name] for name in texts(whole)} == texts(whole)
    assert record(streamed / "convert.json") == record(whole / "convert.json")
    placed = json.loads((streamed / index).read_text(encoding="utf-8"))
    assert {*placed["weight_map"].values()} == WEIGHTS
    # Embeddings, of tokens and positions, of 32 channels: 280 + 32 rows; see `trained`.
    assert placed["weight_map"]["transformer.wte.weight"] == "model-00001-of-00003.safetensors"
    found = load_file(streamed / "model-00001-of-00003.safetensors")
    assert sum(x.numel() for x in found.values()) == (280 + 32) * 32 + 2 * 32
    ids = torch.arange(20)[None]
    both = [AutoModelForCausalLM.from_pretrained(each)(ids).logits for each in (whole, streamed)]
    assert torch.equal(*both)


def test_an_evaluation_layer_by_layer_is_the_same(run: Run, trained: Path, tmp_path: Path) -> None:
    run("convert", "--out", "converted", "--stream")
    converted = tmp_path / "converted"
    shutil.copytree(trained, converted / "analog")  # weights of its own, as after fine-tuning
    for name, model in {"analog": trained, "converted": converted}.items():
        whole, streamed = tmp_path / f"{name}, whole", tmp_path / f"{name}, streamed"
        run("evaluate", "--out", whole.name, *READING, model=model)
        run("evaluate", "--out", streamed.name, *READING, "--stream", model=model)
        assert texts(streamed) == texts(whole)
        assert record(streamed / "run.json") == record(whole / "run.json")
        assert not (streamed / "unfinished").exists()


def test_a_stream_in_bf16_is_the_run_in_bf16(run: Run, tmp_path: Path) -> None:
    # Weights that are rounded layer by layer, and what the layers give, are those of the whole.
    half = ["--dtype", "bfloat16"]
    run("convert", "--out", "whole", *half)
    run("convert", "--out", "streamed", *half, "--stream")
    assert weights(tmp_path / "streamed") == weights(tmp_path / "whole")
    read = ["--out", "read", *READING, *half]
    run("evaluate", *read, model=tmp_path / "whole")
    run("evaluate", *read[2:], "--out", "passed", "--stream", model=tmp_path / "streamed")
    both = [texts(tmp_path / out) for out in ("read", "passed")]
    for name in ("quality.csv", "counts.csv"):
        assert both[0][name].replace("whole", "streamed") == both[1][name]
    assert "bfloat16" in both[0]["quality.csv"]


@pytest.mark.parametrize("kept", [3, 20, 50, 70, 84, 88])
def test_a_conversion_that_was_killed_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    # 16 windows in front of each of 2 layers and behind them, and their gradients there and in
    # front of the second; thresholds and curvature of the head and of both layers: 48 + 32 + 6.
    # Then three files of weights.
    written: list[object] = []

    def counting(write: Callable[..., object], most: int) -> Callable[..., object]:
        def counted(*given: Any, **tensors: Any) -> object:
            if len(written) == most:
                raise KeyboardInterrupt
            written.append(given)
            return write(*given, **tensors)

        return counted

    words = ["--stream", "--dead-zone", "loss", "--window", "32"]
    runs = []
    for out, most, status in (("whole", 1000, 0), ("out", kept, 130), ("out", 1000, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(Step, "put", counting(Step.put, most))
            write = neurt.streaming.shards.write_atomically
            patch.setattr(neurt.streaming.shards, "write_atomically", counting(write, most))
            run("convert", "--out", out, *words, status=status)
        runs.append(len(written))
        written.clear()
    assert runs[0] == 89
    assert runs[1] == kept
    # A step that was killed is taken again: of up to 18 files.
    assert 89 <= runs[1] + runs[2] < 89 + 18
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert texts(tmp_path / "out") == texts(tmp_path / "whole")
    assert not (tmp_path / "out" / "unfinished").exists()


def test_another_request_does_not_go_on_where_one_was_killed(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    with monkeypatch.context() as patch:
        patch.setattr(neurt.streaming.shards, "write_json", killed)
        run("convert", "--out", "out", "--stream", model=copy, status=130)
    for other in (["--stream", "--threshold", "2"], []):
        said = run("convert", "--out", "out", *other, model=copy, status=1)
        assert "output directory 'out' is not empty; choose another --out" in said
    changed = AutoModelForCausalLM.from_pretrained(copy)
    with torch.no_grad():
        changed.transformer.ln_f.weight.mul_(2)
    changed.save_pretrained(copy)
    said = run("convert", "--out", "out", "--stream", model=copy)
    assert "is of another request, text, model, device or version: it begins again." in said
    run("convert", "--out", "whole", model=copy)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_what_cannot_be_run_layer_by_layer_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    sizes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 64}
    (bare / "config.json").write_text(json.dumps({"model_type": "gpt2"} | sizes), encoding="utf-8")
    words = ["--out", "out", "--stream"]
    said = run("convert", *words, "--weights", "random", model=bare, status=1)
    assert f"those of '{bare}' would be random; give a directory that has them" in said
    said = run("evaluate", *words, "--baselines", "w8a8", "teal=0.4", status=2)
    assert "--baselines w8a8 teal=0.4 change the whole model while it reads" in said
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**9, 10**9 - 999, 999))
    for command in ("convert", "evaluate"):
        said = run(command, *words, status=1)
        assert "bytes are free there; choose another --out, or read less text" in said
        assert "999 bytes" in said
    assert not (tmp_path / "out").exists()


PASSES = {
    "prefill": ["--seq-len", "16", "--windows", "2", "--zeros", "--coincidences"],
    "decode": ["--phase", "decode", "--context", "12", "--batch", "2"],
    "a request": ["--prompt", "8", "--generate", "4", "--windows", "2"],
    "spikformer": ["--prompt", "6", "--generate", "3", "--form", "spikformer"],
    "with the head": ["--seq-len", "8", "--head", "--dead-zone", "output"],
    "in BF16": ["--prompt", "8", "--generate", "3", "--dtype", "bfloat16"],
}


@pytest.mark.parametrize("passes", PASSES)
def test_a_profile_layer_by_layer_is_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: str
) -> None:
    monkeypatch.setattr("neurt.measure.planning.now", lambda: "2026-01-01T00:00:00+00:00")
    words = [*PASSES[passes], "--hw", "45nm", "--pictures", "none", "--no-page"]
    run("profile", "--out", "whole", *words)
    said = run("profile", "--out", "streamed", *words, "--stream")
    assert said.startswith("tiny: weights=local(tiny), layer by layer\n")
    whole, streamed = tmp_path / "whole", tmp_path / "streamed"
    assert {"counts.csv", "steps.csv"} <= texts(whole).keys()
    assert texts(streamed) == texts(whole)
    assert (streamed / "run.json").read_bytes() == (whole / "run.json").read_bytes()
    assert not (streamed / "unfinished").exists()


@pytest.mark.parametrize("kept", [2, 84, 85])
def test_a_profile_that_was_killed_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    # As a conversion, above, of which nothing is written; then two windows in front of each layer
    # and behind them.
    written: list[str] = []
    put = Step.put

    def counted(step: Step, name: str, **tensors: Any) -> None:
        if len(written) == kept:
            raise KeyboardInterrupt
        written.append(name)
        put(step, name, **tensors)

    words = ["--prompt", "8", "--generate", "3", "--windows", "2", "--dead-zone", "loss"]
    words += ["--hw", "45nm", "--pictures", "none", "--no-page"]
    run("profile", "--out", "whole", *words)
    with monkeypatch.context() as patch:
        patch.setattr(Step, "put", counted)
        run("profile", "--out", "out", *words, "--stream", status=130)
    run("profile", "--out", "out", *words, "--stream")
    for name in ("counts.csv", "steps.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "out" / "unfinished").exists()


def test_a_profile_layer_by_layer_has_no_second_witness(run: Run) -> None:
    said = run("profile", "--out", "out", "--hw", "45nm", "--stream", "--verify", status=2)
    assert (
        "--verify runs the whole model once more under fvcore, and --stream has one layer" in said
    )
