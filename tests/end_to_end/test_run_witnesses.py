"""Runs that hooks, plan and fvcore agree on; models that were converted before."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from finished import (
    LABEL,
    Finished,
    Row,
    profile,
    words,
)

from neurt.cli import main
from neurt.loading.models import load_model
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import calibration


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_and_the_run_says_so(
    tiny: Path, tmp_path: Path, phase: str, windows: int
) -> None:
    said = profile(*words(tiny, phase, tmp_path, windows), "--verify")
    assert "Verified: hooks and fvcore agree on every row, hooks and plan on both models." in said


@pytest.mark.parametrize("convention", ["--attention=causal", "--coincidences"])
@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_under_another_convention(
    tiny: Path, tmp_path: Path, convention: str
) -> None:
    asked = ["--model", str(tiny), "--hw", "45nm", "--seq-len", "8", "--out", str(tmp_path)]
    assert "Verified: " in profile("profile", *asked, convention, "--verify")


@pytest.mark.usefixtures("sketched")
def test_the_witnesses_agree_on_another_conversion(tiny: Path, tmp_path: Path) -> None:
    said = profile(
        *("profile", "--model", str(tiny), "--hw", "45nm", "--seq-len", "8", "--verify"),
        *("--form", "softmax", "--code", "pow2", "--attention-code", "burst"),
        *("--key-value", "streamed", "--timesteps", "3", "--out", str(tmp_path)),
    )
    assert "hooks and plan on both models." in said
    finished = Finished("prefill", tmp_path, said)
    found = finished.layers("45nm", "ssa")
    for name, op in (("attn.core.scores", "ac"), ("mlp.c_proj", "shift_ac")):
        row = found[f"transformer.h.1.{name}"]
        assert {key: row[key] != "0" for key in ("mac", "ac", "shift_ac")} == {
            key: key == op for key in ("mac", "ac", "shift_ac")
        }
    settings = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["settings"]
    assert settings["spiking"]["code"] == "pow2"
    assert settings["spiking"]["attention_code"] == "burst"


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_gpt2_small_is_counted_and_verified_at_full_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = profile(
        *("profile", "--model", "gpt2-small", "--weights", "random", "--hw", "45nm"),
        *("--seq-len", "16", "--verify", "--calibration-tokens", "32", "--out", str(tmp_path)),
    )
    assert "Verified: hooks and fvcore agree on every row, hooks and plan on both models." in said
    finished = Finished("prefill", tmp_path, said)
    macs = sum(int(row["mac"]) for row in finished.layers("45nm", "asa").values())
    # Projections 12 layers x 16 x 12 x 768^2 = 1,358,954,496; scores and mix
    # 12 x 2 x 16^2 x 768 = 4,718,592; head 16 x 768 x 50,257 = 617,558,016.
    assert macs == 1_358_954_496 + 4_718_592 + 617_558_016
    assert {row["weights"] for row in finished.rows("layers.csv")} == {"random(seed=0)"}


@pytest.mark.usefixtures("sketched")
def test_a_converted_model_that_was_saved_counts_as_it_did_when_it_was_made(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = words(tiny, "prefill", tmp_path / "made")
    profile(*made, "--timesteps", "3")
    loaded = load_model(str(tiny))
    windows = calibration(loaded.tokenizer, tokens=64).windows  # as many as it has positions
    convert(loaded.model, SpikingConfig(timesteps=3), windows).save_pretrained(tmp_path / "mine")
    said = profile(*words(tmp_path / "mine", "prefill", tmp_path / "saved"), "--verify")
    assert "mine is a converted model: T = 3, as stored with it." in said

    def counts(name: str) -> list[Row]:
        with (tmp_path / name / "counts.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row.pop("model") for row in rows} <= {"tiny-gpt2", "mine"}
        assert {row.pop("weights") for row in rows} <= {LABEL, "local(mine)"}
        return rows

    assert counts("made") == counts("saved")
    settings = json.loads((tmp_path / "saved" / "run.json").read_bytes())["settings"]
    assert (settings["timesteps"], settings["spiking"]["timesteps"]) == (3, 3)
    assert settings["calibration"] == "stored with the model"


def test_random_weights_for_a_converted_model_are_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_model(str(tiny))
    windows = calibration(loaded.tokenizer, tokens=64).windows
    convert(loaded.model, SpikingConfig(), windows).save_pretrained(tmp_path / "mine")
    asked = words(tmp_path / "mine", "prefill", tmp_path / "out")
    assert main([*asked, "--weights", "random"]) == 1
    assert "thresholds belong to its weights" in capsys.readouterr().err
