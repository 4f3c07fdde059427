from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports import Run
from reports.compare.comparison import compare_runs
from reports.shown import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_a_frame(make_run: Callable[..., Run], name: str) -> None:
    frame = make_run("7nm-hbm2").to_frame(name)  # which says how fast it is
    assert len(frame) > 0
    assert {"variant", "saving"} & set(frame.columns)


@pytest.mark.parametrize("name", ["layers", "components", "phases", "spike_rates", "sensitivity"])
def test_every_picture_is_shown(make_run: Callable[..., Run], name: str) -> None:
    run = make_run("45nm")
    picture = run.plot(name)
    data, how = picture._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert how == {"width": round(100 * picture.figure.get_figwidth())}
    [body] = picture.figure.subfigs
    assert run.title in body.get_suptitle().replace("\n", " ")


@pytest.mark.parametrize("name", ["layers", "components", "phases", "spike_rates"])
def test_a_picture_is_had_for_one_column(make_run: Callable[..., Run], name: str) -> None:
    assert make_run("45nm").plot(name, fit="one").figure.get_figwidth() == 3.4  # inches


def test_a_picture_is_saved_under_the_name_it_is_given(run: Run, tmp_path: Path) -> None:
    picture = run.plot("components", hw="loihi")
    assert "Loihi" in picture.figure.subfigs[0].get_suptitle()
    path = picture.save(tmp_path / "mine.svg")
    assert path.read_text(encoding="utf-8") == picture.svg()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda run: run.plot("tornado"), "picture 'tornado' is not known; known are layers, "),
        (lambda run: run.plot(hw="7nm"), "hardware '7nm' is not known; known are 45nm, loihi"),
        (lambda run: run.plot(fit="three"), "`fit` must be one of one, two, and not 'three'"),
        (lambda run: run.plot("sensitivity", fit="one"), "draw it with fit='two'"),
        (lambda run: run.to_frame("all"), "table 'all' is not known; known are savings, layers"),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_those_that_are(
    run: Run, ask: Callable[[Run], Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        ask(run)


def test_a_picture_of_nothing_is_refused(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    silent = tuple(layer for layer in run.ssa.layers if not layer.tally.slots)
    run = replace(run, ssa=replace(run.ssa, layers=silent))
    with pytest.raises(ValueError, match="picture 'spike_rates' is empty: nothing"):
        run.plot("spike_rates")


def test_a_run_shows_what_each_hardware_saves(run: Run) -> None:
    run = replace(run, asa=replace(run.asa, model="<b>tiny</b>"))
    html = run._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;tiny" in html
    assert html.count(">45nm<") == html.count(">loihi<") == 9
    assert ">unpriced<" in html


def test_a_terminal_sees_one_line(run: Run) -> None:
    asa, _ = run.estimates["45nm"]
    for shown, said in (
        (run, "<run: tiny, weights random(seed=0), T = 4; prefill, 4 tokens, full attention>"),
        (run.plot("components"), "<picture>"),
        (run.asa, "<counts of asa, tiny: 23 layers>"),
        (asa, "<bill of asa on 45nm>"),
        (compare_runs({"a": run, "b": run}), "<comparison of a, b>"),
    ):
        assert repr(shown) == said


def test_what_a_plan_assumes_of_spikes_is_not_drawn(make_run: Callable[..., Run]) -> None:
    with pytest.raises(ValueError, match="is for measured spikes, and a plan assumes"):
        make_run("45nm", command="plan").plot("spike_rates")
