from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from hwmodels.shelf import measured
from reports import Run
from reports.compare.comparison import CompareError, compare_runs, write_comparison
from reports.kit.pictures import Pictures
from reports.measured.lines import BILL, CAUTION, Line, beside, shelf
from reports.measured.picture import beside_picture
from reports.measured.table import beside_markdown, lines_table
from reports.views.phases import phases

EVIL = "<b>x</b>|y*"


@pytest.fixture
def lines(make_run: Callable[..., Run]) -> list[Line]:
    return beside({"mine": make_run("45nm", "loihi")})


def test_a_bill_lies_between_its_bounds_per_token(
    lines: list[Line], make_run: Callable[..., Run]
) -> None:
    # What phases.csv says per token in picojoules, 1e-12 of it in joules.
    frame = phases(make_run("45nm")).to_frame()
    total = frame[frame.part == "total"].set_index(["variant", "fusion"]).pj_per_token
    for variant, side in (("analog", "asa"), ("spiking", "ssa")):
        [line] = [x for x in lines if x.system == f"mine on 45nm, {variant}"]
        assert line.low_j == pytest.approx(total[side, "fused"] / 1e12)
        assert line.high_j == pytest.approx(total[side, "unfused"] / 1e12)
        assert (line.phase, line.batch, line.boundary) == ("prefill", 1, BILL)


def test_what_has_no_price_is_unpriced_and_no_zero(lines: list[Line]) -> None:
    # loihi has no price of a MAC: neither side of the model has a bill there.
    lost = [line for line in lines if "loihi," in line.system]
    assert [line.system for line in lost] == ["mine on loihi, analog", "mine on loihi, spiking"]
    for line in lost:
        assert (line.low_j, line.high_j, line.per_token) == (None, None, "unpriced")
    row = next(csv.DictReader(io.StringIO(lines_table(lost).to_csv())))
    assert (row["low_j"], row["high_j"]) == ("", "")


def test_tokens_that_are_generated_stand_before_those_of_prompts(lines: list[Line]) -> None:
    kinds = [line.of_prompt for line in lines]
    assert kinds == sorted(kinds)
    for kind in (False, True):
        known = [x.low_j for x in lines if x.of_prompt is kind and x.low_j is not None]
        assert known == sorted(known)
    assert len(lines) == 2 * 2 + len(shelf())


def test_every_measured_figure_is_on_the_shelf() -> None:
    assert len(shelf()) == len(measured())
    assert {line.boundary for line in shelf()} == {"chip", "dynamic", "total", "unsaid"}


def test_one_run_beside_measured_systems_is_a_comparison(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    runs = {"mine": make_run("45nm")}
    with pytest.raises(CompareError, match=r"two rows, but there are 1; .*or --measured"):
        compare_runs(runs)
    found = compare_runs(runs, alone=True)
    files = write_comparison(
        found, tmp_path, pictures=Pictures.NONE, page=False, measured=beside(runs)
    )
    names = ["compare.csv", "compare.md", "sources.bib", "measured.csv", "measured.md"]
    assert [path.name for path in files] == names


def test_the_page_has_both_pictures_and_the_caution(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    runs = {EVIL: make_run("45nm")}
    found = compare_runs(runs, alone=True)
    write_comparison(found, tmp_path, pictures=Pictures.NONE, measured=beside(runs))
    text = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "Whole systems are never the bill" in text
    assert "northpole" in text
    assert EVIL not in text


def test_markdown_says_what_is_inside(lines: list[Line]) -> None:
    text = beside_markdown(lines)
    assert CAUTION in text
    assert "| **mine on 45nm, analog** |" in text
    assert "dynamic: what the load adds" in text


def test_the_picture_has_a_lane_for_each_line(lines: list[Line]) -> None:
    generated, prompt = beside_picture(lines).axes
    assert len(generated.get_yticks()) + len(prompt.get_yticks()) == len(lines)
    said = [text.get_text() for text in prompt.texts]
    assert said.count("unpriced") == 2
    assert generated.get_xscale() == "log"


def test_bills_without_any_price_are_drawn_all_the_same(make_run: Callable[..., Run]) -> None:
    lost = [line for line in beside({"mine": make_run("loihi")}) if line.boundary == BILL]
    [axes] = beside_picture(lost).axes
    assert [text.get_text() for text in axes.texts] == ["unpriced", "unpriced"]
