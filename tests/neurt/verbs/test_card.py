from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run

import pytest
from huggingface_hub import ModelCard

from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone", "sketched")

GPT2 = {"model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 50257}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")
    return ["--model", "tiny", "--pictures", "none", "--out", "out"]


def test_a_plan_writes_the_card_of_each_phase(words: list[str], tmp_path: Path) -> None:
    request = ["--prompt", "4", "--generate", "3", "--batch", "2", "--no-page", "--quiet"]
    assert main(["plan", *words, *request, "--hw", "45nm", "--card"]) == 0
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert [x["phase"] for x in card["energies"][::4]] == ["prefill", "decode", "request"]
    assert card["conditions"] == {
        **{"phase": "request", "prompt": 4, "generate": 3, "batch": 2, "attention": "full"},
        **{"timesteps": 4, "spike_rate": 0.2, "form": "softmax", "code": "pow2"},
    }
    results = ModelCard.load(tmp_path / "out" / "card.md").data.eval_results
    assert len(results) == 3 * 2 * 2  # phases x variants x bounds
    assert main(["plan", *words, *request, "--hw", "45nm", "--force"]) == 0
    assert not (tmp_path / "out" / "card.md").exists()  # of numbers that are no longer there


def test_the_document_says_how_a_card_goes_into_a_readme(words: list[str], tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/results/measured.md").read_text(encoding="utf-8")
    script = tmp_path / "add_energy.py"
    script.write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    assert main(["plan", *words, "--analog", "--hw", "45nm", "--card", "--no-page", "--quiet"]) == 0
    readme = tmp_path / "README.md"
    readme.write_text("---\nlicense: mit\n---\n# Mine\n", encoding="utf-8")
    run([sys.executable, str(script), "out/card.md", "README.md"], check=True, cwd=tmp_path)
    card = ModelCard.load(readme)
    assert (card.data.license, card.data.model_name) == ("mit", "tiny")
    assert len(card.data.eval_results) == 2  # both bounds
    assert [x for x in card.text.splitlines() if x.startswith("#")] == [
        "# Mine",
        "## Energy per token",
    ]


def test_a_count_writes_the_card_of_the_analog_model(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "--weights",
        "random",
        "--phase",
        "decode",
        "--context",
        "8",
        "--carbon-intensity",
        "50",
    ]
    assert main(["count", *words, *asked, "--hw", "45nm", "--card", "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["command"] == "count"  # one document, though the card is JSON as well
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    fused, unfused = card["energies"]
    per_token = record["hardware"]["45nm"]["pj_per_token"]
    assert fused["j_per_token"] == pytest.approx(per_token["fused"] / 1e12)
    assert unfused["j_per_token"] == pytest.approx(per_token["unfused"] / 1e12)
    # J x 1e6 tokens / 3.6e6 J per kWh x 50 g per kWh
    assert fused["gco2e_per_million_tokens"] == pytest.approx(fused["j_per_token"] / 3.6 * 50)
    assert card["conditions"]["context"] == 8
    assert "seq_len" not in card["conditions"]


def test_an_analog_plan_of_a_request_shares_its_energy_among_generated_tokens(
    words: list[str], tmp_path: Path
) -> None:
    request = ["--prompt", "4", "--generate", "3", "--batch", "2", "--windows", "2", "--analog"]
    assert main(["plan", *words, *request, "--hw", "45nm", "--card", "--quiet"]) == 0
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    record = json.loads((tmp_path / "out" / "count.json").read_text(encoding="utf-8"))
    whole = record["hardware"]["45nm"]["fused_pj"]
    fused = card["energies"][0]
    assert (fused["phase"], fused["token"]) == ("request", "generated token")
    assert fused["j_per_token"] == pytest.approx(whole / 1e12 / (2 * 2 * 3))
    assert card["command"] == "plan"
    assert card["conditions"] == {
        **{"phase": "request", "prompt": 4, "generate": 3, "batch": 2, "attention": "full"}
    }
    text = (tmp_path / "out" / "card.md").read_text(encoding="utf-8")
    assert "Counted in closed form from the sizes of the model" in text


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (["--hw", "northpole", "--card"], 1, "northpole has no price of a multiply-accumulate"),
        (["--hw", "45nm", "--card", "--carbon-intensity", "0"], 2, "must be above 0, not 0"),
        (["--hw", "45nm", "--card", "--carbon-intensity", "-3"], 2, "must be above 0, not -3"),
        (["--hw", "45nm", "--carbon-intensity", "400"], 2, "give --card too"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "count"])
def test_a_card_that_would_say_nothing_is_one_line(
    verb: str,
    asked: list[str],
    status: int,
    said: str,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([verb, *words, *asked]) == status
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()
