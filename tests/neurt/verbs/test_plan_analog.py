"""`plan` of an analog model alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from decoders import tiny

from energy.counts.file import read_csv
from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone")

OPT: dict[str, Any] = {
    "model_type": "opt",
    "ffn_dim": 3072,
    "hidden_size": 768,
    "max_position_embeddings": 2048,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "vocab_size": 50272,
    "word_embed_proj_dim": 768,
}
MISTRAL: dict[str, Any] = {
    "model_type": "mistral",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 101,
    "max_position_embeddings": 256,
    "sliding_window": 32,
}


def plan(model: str, *words: str, out: str = "out") -> int:
    where = ["--out", out, "--pictures", "none"]
    return main(["plan", "--model", model, "--hw", "45nm", *where, *words])


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`fails("plan", ..)`: the one line that a command says, which must fail."""

    def run(*words: str) -> str:
        assert main([*words]) in (1, 2)
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said.removeprefix("neurt-energy: ").rstrip("\n")

    return run


def written(config: dict[str, Any], name: str = "mine") -> str:
    Path(name).mkdir()
    (Path(name) / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return name


def test_a_family_that_is_not_converted_is_planned_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert plan(written(OPT), "--batch", "32", "--seq-len", "1024") == 0
    said = capsys.readouterr().out
    assert "125,239,296 parameters.\n" in said
    assert "OPT is not converted to spikes: the analog model, in closed form.\n" in said
    files = {path.name for path in Path("out").iterdir()}
    assert files == {"counts.csv", "energy.csv", "sources.bib", "count.json"}
    about = json.loads((Path("out") / "count.json").read_text(encoding="utf-8"))
    assert about["command"] == "plan"
    assert about["settings"]["parameters"]["total"] == 125_239_296
    [counts] = read_csv(Path("out") / "counts.csv")
    # 32 x 1024 x (12 (4 x 768^2 + 2 x 768 x 3072) + 50272 x 768) + 2 x 12 x 768 x 1024^2 x 32
    assert counts.dense_macs == about["counts"]["dense_macs"] == 4_666_750_402_560


def test_a_whole_request_is_the_sum_of_its_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(written(OPT), "--prompt", "8", "--generate", "3") == 0
    capsys.readouterr()
    [counts] = read_csv(Path("out") / "counts.csv")
    # 8 tokens at once, then one at context 9 and one at 10: 123,543,552 MACs each, and 2 x 12 x 768
    # for each pair: 8 x 8 + 9 + 10 of them.
    assert counts.dense_macs == 10 * 123_543_552 + 2 * 12 * 768 * (64 + 9 + 10)
    assert (counts.phase, counts.tokens) == ("request 8+3", 10)


def test_what_is_of_a_spiking_model_is_refused(fails: Callable[..., str]) -> None:
    said = fails("plan", "--model", written(OPT), "--hw", "45nm", "--spike-rate", "0.1")
    assert said == (
        "--spike-rate: of a spiking model, and 'mine' (OPT) is not converted to spikes; leave that "
        "out"
    )
    said = fails("plan", "--model", "gpt2-nano", "--hw", "45nm", "--analog", "--timesteps", "2")
    assert said.startswith("--timesteps: of a spiking model, and 'gpt2-nano' (GPT-2) is planned")


def test_a_window_ends_a_spiking_model_and_no_analog_one(
    fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = written(MISTRAL)
    said = fails("plan", "--model", model, "--hw", "45nm", "--seq-len", "128", "--out", "x")
    assert said.startswith(
        "128 tokens are more than the 32 that the sliding window of 'mine' holds"
    )
    assert "`neurt-energy plan --analog`" in said
    assert plan(model, "--analog", "--seq-len", "128", "--attention", "causal") == 0
    capsys.readouterr()
    [counts] = read_csv(Path("out") / "counts.csv")
    # 32 x 33 / 2 + 96 x 32 pairs in 2 layers, 2 products of 64 channels; a token: 2 layers of 64 x
    # (64 + 2 x 32) + 64^2 + 3 x 64 x 96, and the head
    pairs = 528 + 3072
    assert counts.dense_macs == 2 * 2 * 64 * pairs + 128 * (2 * (8192 + 4096 + 18_432) + 6464)


def test_a_published_model_has_a_name_and_says_how_experts_are_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert plan("Qwen3-30B-A3B", "--phase", "decode", "--context", "1000") == 0
    said = capsys.readouterr().out
    assert said.lstrip().startswith("Qwen/Qwen3-30B-A3B, weights none(closed form)\n")
    assert (
        "30,532,122,624 parameters, of which a token uses 3,353,032,704, 3,041,867,776 without the "
        "table of tokens.\n"
    ) in said
    assert "E (1 - (1 - k / E)^n)" in said


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_experts_per_tok": 9}, "'num_experts_per_tok' (= 9) must be at most 'num_local_ex"),
        ({"sliding_window": 0}, "'sliding_window' (= 0) must be an integer >= 1"),
        ({"layer_types": ["full_attention"]}, "must name one of full_attention, sliding_attention"),
        ({"num_local_experts": 0}, "'num_local_experts' (= 0) must be an integer >= 1"),
    ],
    ids=str,
)
def test_what_no_mixture_can_be_is_named(
    fails: Callable[..., str], changed: dict[str, Any], says: str
) -> None:
    config = MISTRAL | {"model_type": "mixtral", "sliding_window": None} | changed
    said = fails("plan", "--model", written(config), "--hw", "45nm", "--out", "out")
    assert says in said


@pytest.mark.parametrize("verb", ["profile", "breakeven", "map"])
def test_what_needs_a_spiking_model_says_what_there_is_instead(
    fails: Callable[..., str], verb: str
) -> None:
    said = fails(verb, "--model", written(OPT), "--hw", "45nm", "--out", "out")
    assert said.startswith("a model of type 'opt' (OPT) is counted and planned, and not converted")
    assert said.endswith("`neurt-energy plan` gives its analog side")


def latent(place: Path) -> str:
    """The directory of a small model whose cache holds latent vectors."""
    place.mkdir()
    tiny("deepseek_v3", vocab_size=50257).save_pretrained(place)
    return str(place)


def test_a_form_of_latent_attention_shows_and_is_refused_where_it_changes_nothing(
    tmp_path: Path, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = latent(tmp_path / "latent")
    macs = []
    for form in ("expanded", "absorbed"):
        assert plan(model, "--phase", "decode", "--context", "20", "--mla", form, out=form) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert ("W_UK absorbed in the queries" in said) == (form == "absorbed")
        macs.append(sum(row.dense_macs for row in read_csv(Path(form) / "counts.csv")))
        chosen = json.loads((Path(form) / "count.json").read_text(encoding="utf-8"))
        assert chosen["settings"]["mla"] == form
    assert macs[0] > macs[1]
    words = ("--hw", "45nm", "--out", "none")
    assert "a prefill expands in both" in fails(
        "plan", "--model", model, "--mla", "absorbed", *words
    )
    decode = ("--model", "gpt2-small", "--phase", "decode", "--mla", "absorbed")
    assert "whose cache holds keys and values and no latent vectors" in fails(
        "plan", *decode, *words
    )


def test_a_count_of_latent_attention_names_the_other_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = latent(tmp_path / "latent")
    words = ["--phase", "decode", "--context", "9", "--hw", "45nm", "--pictures", "none"]
    assert main(["count", "--model", model, "--weights", "random", "--out", "c", *words]) == 0
    assert "`plan --mla absorbed`" in " ".join(capsys.readouterr().out.split())
