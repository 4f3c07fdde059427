"""Bad input of the commands that train and sweep: one clear line each, nothing overwritten."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from neurt.cli import main
from neurt.learning.checkpoint import CHECKPOINT
from neurt.learning.finished import UNFINISHED

pytestmark = pytest.mark.usefixtures("alone")

Fails = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Fails:
    # Run a command that must fail and change no file; returns the one line it says.

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def run(*words: object) -> str:
        before = content()
        assert main([str(word) for word in words]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert said.startswith("neurt-energy: ")
        assert content() == before
        return said.removeprefix("neurt-energy: ").removesuffix("\n")

    return run


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    # A copy that a test may break.
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


def instead(words: list[str], *more: str) -> list[str]:
    # Words with flags that stand in for those of the same names, each of which has one value.
    replaced = {word for word in more if word.startswith("--")}
    kept = [i for i, word in enumerate(words) if {word, *words[i - 1 : i]}.isdisjoint(replaced)]
    return [*(words[i] for i in kept), *more]


def finetune(model: object, text: object, *more: str) -> list[str]:
    sizes = ["--layer-steps", "1", "--steps", "1", "--tokens", "16", "--batch", "2"]
    limits = ["--held-out-tokens", "32", "--out", "out"]
    words = ["finetune", "--model", str(model), "--text", str(text), *sizes, *limits]
    return instead(words, *more)


def sweep(model: object, *more: str) -> list[str]:
    grid = ["--codes", "pow2", "--forms", "softmax", "--timesteps", "1", "--thresholds", "1"]
    limits = ["--max-tokens", "32", "--window", "16", "--out", "out"]
    return instead(["sweep", "--model", str(model), *grid, *limits], *more)


def evaluate(model: object, *more: str) -> list[str]:
    return ["evaluate", "--model", str(model), "--max-tokens", "32", "--out", "out", *more]


def set_value(model: Path, name: str, value: float, *, everywhere: bool = False) -> None:
    path = model / "model.safetensors"
    tensors = load_file(path)
    tensors[name].view(-1)[: None if everywhere else 1] = value
    save_file(tensors, path, {"format": "pt"})


def test_another_architecture(fails: Fails, model: Path, passages: Path) -> None:
    config = json.loads((model / "config.json").read_bytes()) | {"model_type": "bert"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for words in (finetune(model, passages), sweep(model), evaluate(model)):
        said = fails(*words)
        assert said.startswith(
            f"model '{model}' is a 'bert', which is no decoder of a known family; "
            "`neurt-energy count` counts any of transformers"
        )


def test_windows_beyond_the_positions(fails: Fails, model: Path, passages: Path) -> None:
    said = fails(*finetune(model, passages, "--tokens", "33"))
    assert said == f"--tokens (= 33) is more than the 32 positions of '{model}'; lower it"
    said = fails(*sweep(model, "--window", "33"))
    assert "the window (= 33) is longer than the 32 positions of the model" in said


def test_weights_that_are_no_numbers(fails: Fails, model: Path, passages: Path) -> None:
    name = "transformer.h.1.attn.c_attn.weight"
    set_value(model, name, float("nan"))
    for words in (finetune(model, passages), sweep(model), evaluate(model)):
        assert f"parameter '{name}' holds NaN or infinity; check the checkpoint" in fails(*words)


def test_activations_that_overflow(fails: Fails, model: Path, passages: Path) -> None:
    # The largest numbers that there are pass all coders, and the last norm squares them.
    set_value(model, "transformer.h.1.ln_2.bias", 3e38)
    for words in (finetune(model, passages), sweep(model)):
        assert "a prediction on the calibration text is not finite" in fails(*words)
    # Some normed value of any token is above 1.14, and 1.14 x 3e38 overflows before the coders.
    set_value(model, "transformer.h.1.ln_2.weight", 3e38, everywhere=True)
    for words in (finetune(model, passages), sweep(model)):
        assert "layer 'transformer.h.1.mlp." in fails(*words)


def test_a_calibration_text_that_is_too_short(fails: Fails, model: Path, passages: Path) -> None:
    (model / "calibration.txt").write_text("A few words.", encoding="utf-8")
    for words in (finetune(model, passages), sweep(model), evaluate(model)):
        said = fails(*words)
        assert "calibration.txt of tiny has fewer than 512 tokens; lengthen it" in said


def test_texts_that_cannot_be_used(fails: Fails, model: Path, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("A few words.", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"K\xe4se")
    assert "neither a file nor a directory of .txt files" in fails(*finetune(model, "no.txt"))
    assert "has 1 document, but of 6 the last is held out" in fails(*finetune(model, "short.txt"))
    assert "is not UTF-8 text at byte 1" in fails(*finetune(model, "latin.txt"))
    assert "'no.txt' does not exist" in fails(*sweep(model, "--text", "no.txt"))
    assert "is not UTF-8 text at byte 1" in fails(*sweep(model, "--text", "latin.txt"))


def test_a_tokenizer_of_another_model(fails: Fails, model: Path, passages: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    for words in (finetune(model, passages), sweep(model)):
        assert "has a vocabulary of 280 but no tokenizer files" in fails(*words)


def test_nothing_to_resume(fails: Fails, model: Path, passages: Path) -> None:
    said = fails(*finetune(model, passages, "--resume"))
    assert said == (
        "nothing to resume in 'out': no stage has a checkpoint.safetensors; leave out --resume"
    )


@pytest.fixture
def unfinished(model: Path, passages: Path, tmp_path: Path) -> Path:
    # The second stage breaks off, for want of a learning rate that makes sense.
    words = finetune(model, passages, "--layer-steps", "2", "--save-every", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurt.learning.finetune.Distillation", None)
        with pytest.raises(TypeError):
            main(words)
    return tmp_path / "out" / "unfinished" / "layerwise" / "checkpoint.safetensors"


RESUME = ("--layer-steps", "2", "--save-every", "1", "--resume")


def test_a_checkpoint_of_another_version(
    fails: Fails, model: Path, passages: Path, unfinished: Path
) -> None:
    with safe_open(unfinished, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(unfinished), unfinished, metadata | {"version": "0"})
    assert "has version 0, this program reads version 4" in fails(
        *finetune(model, passages, *RESUME)
    )


def test_a_truncated_checkpoint(
    fails: Fails, model: Path, passages: Path, unfinished: Path
) -> None:
    unfinished.write_bytes(unfinished.read_bytes()[:-10])
    assert "is truncated or damaged" in fails(*finetune(model, passages, *RESUME))


def test_resuming_with_other_settings(
    fails: Fails, model: Path, passages: Path, unfinished: Path
) -> None:
    said = fails(*finetune(model, passages, *RESUME, "--learning-rate", "0.1", "--code", "pow2"))
    assert said == (
        "checkpoint 'out/unfinished/layerwise/checkpoint.safetensors' was made with learning_rate "
        "= 0.001, but now learning_rate = 0.1; resume with the old setting, or start anew in "
        "another --out"
    )


def test_a_directory_that_is_taken(
    fails: Fails, model: Path, passages: Path, unfinished: Path, tmp_path: Path
) -> None:
    assert "holds an unfinished training; continue it with --resume" in fails(
        *finetune(model, passages)
    )
    assert main(finetune(model, passages, *RESUME)) == 0
    said = "'out' holds a model (model.safetensors); choose another --out"
    assert fails(*finetune(model, passages, "--seed", "1")) == said
    assert fails(*finetune(model, passages, *RESUME, "--seed", "1")) == said
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    for words in (finetune(model, passages), sweep(model)):
        assert "output directory 'taken' cannot be written" in fails(
            *instead(words, "--out", "taken")
        )


def test_a_model_that_was_truncated(fails: Fails, model: Path, passages: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    for words in (finetune(model, passages), sweep(model)):
        said = fails(*words)  # a sweep names the point before it, and still shows the cause
        assert "' is cut short or no safetensors file (incomplete metadata" in said
        assert said.endswith("); download it again")


def test_weights_too_large_for_the_file(fails: Fails, model: Path, passages: Path) -> None:
    name = "transformer.wpe.weight"
    set_value(model, name, 1e5)
    said = fails(*finetune(model, passages, "--save-dtype", "float16"))
    assert said == f"parameter '{name}' is not finite in float16; use --save-dtype float32"


def test_a_damaged_point(fails: Fails, model: Path, tmp_path: Path) -> None:
    assert main(sweep(model)) == 0
    [path] = (tmp_path / "out" / "points").iterdir()
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    said = f"'{path.relative_to(tmp_path)}' was cut or edited since it was measured; delete it and "
    assert fails(*sweep(model)) == f"{said}run the same command again"


def test_the_module_is_the_command() -> None:
    # What `accelerate launch` and `torchrun` are given: -m neurt.cli.
    run = subprocess.run(
        [sys.executable, "-m", "neurt.cli", "hw", "show", "90nm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("neurt-energy: hardware profile '90nm' is not known")
    assert run.stderr.count("\n") == 1


def test_torch_reads_no_pickle(model: Path, passages: Path, tmp_path: Path) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        for name in ("load", "save"):
            patch.setattr(torch, name, refuses)
        assert main(finetune(model, passages)) == 0
    suffixes = {path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert suffixes == {".csv", ".json", ".png", ".safetensors", ".svg", ".txt"}


def test_a_training_that_was_killed_after_its_end_is_said_to_be_finished(
    model: Path, passages: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Killed between the last file of the model and the removal of what it was resumed from.
    asked = finetune(model, passages, "--save-every", "1", "--no-baseline")
    assert main(asked) == 0
    whole = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    (tmp_path / "out" / UNFINISHED / "distilled").mkdir(parents=True)
    (tmp_path / "out" / UNFINISHED / "distilled" / CHECKPOINT).write_bytes(b"any")
    for more in ([], ["--resume"]):
        capsys.readouterr()
        assert main([*asked, *more]) == 0
        assert "out holds the model of this training, which is finished" in capsys.readouterr().out
        assert {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()} == whole
        assert not (tmp_path / "out" / UNFINISHED).exists()
    assert main([*asked, "--seed", "1"]) == 1
    assert "holds a model" in capsys.readouterr().err


def test_a_pretraining_that_was_killed_after_its_end_is_said_to_be_finished(
    passages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--layers", "1", "--width", "16", "--heads", "2", "--vocabulary", "262"]
    steps = ["--positions", "16", "--tokens", "16", "--steps", "2", "--batch", "1"]
    asked = ["pretrain", "--text", str(passages), *sizes, *steps, "--warmup-steps", "1"]
    assert main([*asked, "--out", "out"]) == 0
    (Path("out") / CHECKPOINT).write_bytes(b"any")
    for more in ([], ["--resume"]):
        capsys.readouterr()
        assert main([*asked, "--out", "out", *more]) == 0
        assert "out holds the model of this training, which is finished" in capsys.readouterr().out
        assert not (Path("out") / CHECKPOINT).exists()
    assert main([*asked, "--out", "out", "--seed", "1"]) == 1
