from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from energy.counts.file import read_csv
from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone", "sketched")


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    # GPT-2's tokenizer stands in for a model with random weights.
    config = AutoConfig.for_model(
        "biogpt",
        num_hidden_layers=1,
        hidden_size=8,
        num_attention_heads=2,
        intermediate_size=12,
        vocab_size=50257,
        max_position_embeddings=64,
    )
    config.save_pretrained(tmp_path / "mine")
    hw = ["--hw", "45nm", "--hw", "loihi"]
    return ["count", "--model", "mine", *hw, "--weights", "random", "--seq-len", "4"]


def test_a_count_is_printed_written_and_can_be_priced_again(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--verify", "--out", "out"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine: weights=random(seed=0)\n")
    assert "Verified: hooks and fvcore agree on the MACs of every row.\n" in said
    assert "ASA without a price on loihi: mac x " in said
    assert "biogpt.layers.*.self_attn.out_proj x 1" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "counts.csv",
        "energy.csv",
        "sources.bib",
        "count.json",
        *(f"components_{hw}.{kind}" for hw in ("45nm", "loihi") for kind in ("png", "svg")),
    }
    about = json.loads((tmp_path / "out" / "count.json").read_text(encoding="utf-8"))
    [counts] = read_csv(tmp_path / "out" / "counts.csv")
    assert about["counts"]["dense_macs"] == counts.dense_macs
    assert "Price it again:  neurt-energy price out/counts.csv --hw 45nm --hw loihi\n" in said

    assert main(["price", "out/counts.csv", "--hw", "45nm", "--hw", "loihi", "--out", "p"]) == 0
    priced = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["asa", "45nm"] in [line[:2] for line in priced]
    assert ["asa", "loihi", "unpriced", "unpriced"] in [line[:4] for line in priced]
    first, again = ((tmp_path / d / "energy.csv").read_text("utf-8") for d in ("out", "p"))
    assert first == again


def test_a_count_is_replaced_only_if_asked(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "count.json").touch()
    assert main([*words, "--out", "out"]) == 1
    assert "already holds a count" in capsys.readouterr().err
    assert main([*words, "--out", "out", "--force"]) == 0
    (tmp_path / "out" / "run.json").touch()
    assert main([*words, "--out", "out", "--force"]) == 1
    assert "holds a run of profile; choose another --out" in capsys.readouterr().err


def test_without_a_directory_it_is_named_after_time_and_model(
    words: list[str], tmp_path: Path
) -> None:
    assert main(words) == 0
    [out] = (tmp_path / "runs").iterdir()
    assert out.name.endswith("-count-mine")


def test_an_error_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words[:-2], "--seq-len", "65"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "65 tokens are more than the 64 positions of 'mine'" in said
