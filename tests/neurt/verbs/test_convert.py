from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from neurt.cli import main
from neurt.loading.models import load_model
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import calibration

pytestmark = pytest.mark.usefixtures("alone")

HOW = ["--form", "softmax", "--code", "pow2", "--timesteps", "2"]
FILES = {
    "calibration.txt",
    "config.json",
    "convert.json",
    "generation_config.json",
    "heldout.txt",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}

Fails = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str], trained: Path) -> Fails:
    def run(*words: str, model: Path = trained) -> str:
        assert main(["convert", "--model", str(model), "--out", "out", *words]) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert "Traceback" not in "".join(said)
        return said[-1]

    return run


@pytest.mark.parametrize("dead_zone", ["output", "loss"])
@torch.no_grad()
def test_what_is_written_is_the_conversion(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dead_zone: str
) -> None:
    words = ["--out", "out", *HOW, "--dead-zone", dead_zone]
    assert main(["convert", "--model", str(trained), *words]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny: weights=local(tiny)\n")
    assert "Written to out. Judge it:  neurt-energy evaluate --model out\n" in said
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == FILES
    loaded = load_model(str(trained))
    chosen = SpikingConfig(form="softmax", code="pow2", timesteps=2, dead_zone=dead_zone)
    windows = calibration(loaded.tokenizer, tokens=32, model=trained).windows
    expected = convert(loaded.model, chosen, windows)
    found = AutoModelForCausalLM.from_pretrained(out)
    assert type(found) is type(expected)
    ids = torch.arange(20)[None]
    assert torch.equal(found(ids).logits, expected(ids).logits)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.encode("The whale") == loaded.tokenizer.encode("The whale")
    for name in ("heldout.txt", "calibration.txt"):
        assert (out / name).read_bytes() == (trained / name).read_bytes()
    facts = json.loads((out / "convert.json").read_text(encoding="utf-8"))
    assert facts["model"] == "tiny"
    assert facts["weights"] == "local(tiny)"
    assert facts["calibration"] == "calibration.txt of tiny"
    assert facts["calibration_tokens"] == 512
    assert facts["spiking"] == chosen.model_dump(mode="json")
    assert facts["versions"]["torch"] == torch.__version__


@pytest.mark.usefixtures("sketched")
def test_what_is_written_is_judged_as_it_is(trained: Path, tmp_path: Path) -> None:
    assert main(["convert", "--model", str(trained), "--out", "out", *HOW]) == 0
    reading = ["--max-tokens", "64", "--window", "16"]
    for model, where, how in ((trained, "analog", HOW), (tmp_path / "out", "converted", [])):
        words = ["--model", str(model), "--out", where, *reading, *how]
        assert main(["evaluate", *words]) == 0
    found = []
    for where in ("analog", "converted"):
        with (tmp_path / where / "quality.csv").open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    assert len(found) == 2
    for column in (
        "analog_perplexity",
        "spiking_perplexity",
        "events_per_mac",
        "tokens",
        "kl_nats",
    ):
        assert found[0].get(column) == found[1].get(column), column


def test_the_users_text_is_calibrated_on(trained: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("a well @-@ known , man . \n" * 60, encoding="utf-8")
    words = ["--calibration", str(own), "--calibration-tokens", "70", "--detokenise"]
    words += ["--window", "16", *HOW]
    assert main(["convert", "--model", str(trained), "--out", "out", *words]) == 0
    facts = json.loads((tmp_path / "out" / "convert.json").read_text(encoding="utf-8"))
    assert facts["calibration"] == "own.txt, detokenised"
    assert facts["calibration_tokens"] == 64  # 70 = 4 x 16 + 6
    loaded = load_model(str(trained))
    windows = calibration(loaded.tokenizer, tokens=16, own=own, total=70, detokenise=True).windows
    expected = convert(
        loaded.model, SpikingConfig.model_validate(facts["spiking"]), windows
    ).state_dict()
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    assert all(torch.equal(found[name], values) for name, values in expected.items())


def test_random_weights_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    sizes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 64}
    (bare / "config.json").write_text(json.dumps({"model_type": "gpt2"} | sizes), encoding="utf-8")
    assert (
        main(
            ["convert", "--model", str(bare), "--out", "out", "--weights", "random", "--seed", "3"]
        )
        == 0
    )
    assert "weights=random(seed=3)" in capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "convert.json").read_text(encoding="utf-8"))
    assert facts["weights"] == "random(seed=3)"
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES - {
        "heldout.txt",
        "calibration.txt",
    }


def test_a_directory_that_holds_something_is_left_alone(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    assert "output directory 'out' is not empty; choose another --out" in fails()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine.txt"}


def test_a_conversion_that_was_killed_is_made_again_over_its_own_files(
    trained: Path, fails: Fails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(made: Path, _: Path) -> None:
        raise KeyboardInterrupt(made)

    words = ["convert", "--model", str(trained), "--out", "out", *HOW]
    with monkeypatch.context() as patch:
        patch.setattr("neurt.loading.saving.put", killed)
        assert main(words) == 130
    begun = {path.name for path in (tmp_path / "out").iterdir()}
    assert begun == {"unfinished.json", "calibration.txt", "heldout.txt"}
    assert "output directory 'out' is not empty" in fails()  # another conversion
    assert main(words) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert "output directory 'out' is not empty" in fails(*HOW)  # a finished one stays


def test_an_empty_directory_is_taken(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert main(["convert", "--model", str(trained), "--out", "out", *HOW]) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_what_cannot_be_converted_is_said_in_one_line(
    fails: Fails, trained: Path, tmp_path: Path
) -> None:
    assert "window (= 33) is longer than" in fails("--window", "33")
    assert "does not exist" in fails("--calibration", "absent.txt")
    assert "has fewer than 100000 tokens" in fails("--calibration-tokens", "100000")
    assert "absent" in fails(model=tmp_path / "absent")
    assert not (tmp_path / "out").exists()
    assert main(["convert", "--model", str(trained), "--out", "done", *HOW]) == 0
    said = fails(model=tmp_path / "done")
    assert said.endswith("is a converted model; give an analog one")
    assert not (tmp_path / "out").exists()
