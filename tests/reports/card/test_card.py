from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import EvalResult, ModelCard, ModelCardData, metadata_load

from reports import Run
from reports.card.card import Card, CardError, Entry
from reports.card.of_run import run_card
from reports.card.text import card_markdown, card_summary, eval_results, section
from reports.card.write import write_card
from reports.views.phases import phases

EVIL = "<b>x</b>|y*\n---\nlicense: mit"


def entry(j_per_token: float | None = 0.0036) -> Entry:
    known = j_per_token is not None
    low, high = (0.5 * j_per_token, 2 * j_per_token) if j_per_token is not None else (None, None)
    ends = (j_per_token, low, high)
    return Entry(
        *("45nm", "analog", "decode", "fused", "layerwise", *ends),
        "derived" if known else None,
        {"derived": 1.0} if known else {},
        ("exp",),
    )


def card(*entries: Entry, carbon: float | None = 500.0, model: str = "tiny") -> Card:
    conditions = {"phase": "decode", "batch": 2, "context": 128, "text": None}
    about = (model, "shipped(tiny)", "count", "0.1.0", "2026-01-01T00:00:00+00:00")
    widths = {"45nm": "weights 8 bits (checkpoint)"}
    return Card(*about, conditions, widths, entries or (entry(),), carbon)


def test_a_million_tokens_at_3_6_millijoules_are_a_thousandth_of_a_kilowatt_hour() -> None:
    # 1e6 x 3.6e-3 J = 3,600 J = 0.001 kWh; at 500 g per kWh half a gram.
    found = card()
    assert found.grams_per_million(found.entries[0].j_per_token) == pytest.approx(0.5)
    assert found.grams_per_million(None) is None
    assert card(carbon=None).grams_per_million(1.0) is None


def test_the_hub_reads_what_was_written(make_run: Callable[..., Run], tmp_path: Path) -> None:
    found = run_card(make_run("45nm", "loihi"), 350.0)
    markdown, _ = write_card(found, tmp_path)
    read = ModelCard.load(markdown)
    data = read.data
    assert isinstance(data, ModelCardData)
    assert data.model_name == "tiny"
    assert data.eval_results == eval_results(found)
    assert ModelCard(str(read)).data.to_dict() == data.to_dict()
    assert metadata_load(markdown) == data.to_dict()
    assert list(data.to_dict()) == ["model-index"]  # nothing that a user's own card may hold
    assert read.text.startswith("\n## Energy per token\n")


def test_the_energies_are_those_of_the_run(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    frame = phases(run).to_frame()
    total = frame[frame.part == "total"].set_index(["variant", "fusion"]).pj_per_token
    found = run_card(run)
    assert len(found.entries) == 4
    for one in found.entries:
        side = {"analog": "asa", "spiking": "ssa"}[one.variant]
        assert one.j_per_token == pytest.approx(total[side, one.bound] / 1e12)
        assert one.low_j is not None
        assert one.high_j is not None
        assert one.low_j < one.high_j
        assert sum(one.grades.values()) == pytest.approx(1)


def test_both_bounds_stand_in_the_index_with_their_conditions() -> None:
    energy, carbon = eval_results(card())
    assert isinstance(energy, EvalResult)
    assert (energy.metric_type, energy.metric_value) == ("energy-per-token", 0.0036)
    assert energy.metric_name == "J per generated token, analog, fused, on 45nm"
    args = energy.metric_args
    assert args is not None
    assert (args["low"], args["high"]) == (0.0018, 0.0072)
    assert (args["evidence"], args["unpriced"]) == ("derived", ["exp"])
    assert args["widths"] == "weights 8 bits (checkpoint)"
    assert args["dataflow"] == "layerwise"
    assert energy.dataset_args == {
        "phase": "decode",
        "batch": 2,
        "context": 128,
        "weights": "shipped(tiny)",
    }
    assert (carbon.metric_type, carbon.metric_value) == ("gco2e-per-million-tokens", 0.5)
    assert carbon.metric_args is not None
    assert carbon.metric_args["gco2e_per_kwh"] == 500.0
    assert (carbon.metric_args["low"], carbon.metric_args["high"]) == (0.25, 1.0)
    assert "co2_eq_emissions" not in card_markdown(card()).split("---")[1]


def test_without_an_intensity_nothing_is_said_of_carbon() -> None:
    [only] = eval_results(card(carbon=None))
    assert only.metric_type == "energy-per-token"
    assert "gCO2e" not in section(card(carbon=None))


def test_what_has_no_price_is_listed_and_no_zero() -> None:
    found = card(entry(None), entry())
    assert len(eval_results(found)) == 2  # the priced entry: energy and carbon
    assert "| unpriced | - | - | exp |" in section(found)
    summary = card_summary(found)["energies"]
    assert isinstance(summary, list)
    assert summary[0]["j_per_token"] is None
    assert summary[0]["gco2e_per_million_tokens"] is None
    assert summary[0]["unpriced"] == ("exp",)


def test_a_card_without_any_energy_is_refused(make_run: Callable[..., Run]) -> None:
    with pytest.raises(CardError, match="loihi has no price of what was counted; give a --hw"):
        run_card(make_run("loihi"))


def test_names_of_others_break_neither_markdown_nor_yaml() -> None:
    found = card(model=EVIL)
    read = ModelCard(card_markdown(found))
    assert read.data.get("license") is None
    assert "<b>" not in read.text
    assert read.data.to_dict()["model-index"][0]["results"]


def test_the_file_is_the_same_in_json(make_run: Callable[..., Run], tmp_path: Path) -> None:
    found = run_card(make_run("45nm"), 100.0)
    _, summary = write_card(found, tmp_path)
    read = json.loads(summary.read_text(encoding="utf-8"))
    assert [x["j_per_token"] for x in read["energies"]] == [x.j_per_token for x in found.entries]
    assert (read["model"], read["carbon_g_per_kwh"]) == ("tiny", 100.0)
    assert read["energies"][0]["token"] == "token of the prompt"


def test_a_card_of_other_numbers_does_not_stay(tmp_path: Path) -> None:
    write_card(card(), tmp_path)
    assert write_card(None, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_random_weights_are_said() -> None:
    text = section(replace(card(), weights="random(seed=0)"))
    assert "Weights are random(seed=0)" in text


def test_an_interval_beside_its_figure_is_explained_once_for_each_hardware() -> None:
    leaning = entry()._replace(leans="memory.dram is at the low end")
    found = section(card(leaning, leaning, entry()))
    assert found.count("On 45nm memory.dram is at the low end.") == 1
    args = eval_results(card(leaning))[0].metric_args
    assert args is not None
    assert args["interval_leans"] == "memory.dram is at the low end"
    assert "interval_leans" not in (eval_results(card())[0].metric_args or {})
