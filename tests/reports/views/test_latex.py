from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from latex import assert_fits, caption_of, lines_of

from energy import saving
from reports import Run
from reports.compare.comparison import compare_runs

EVIL = r"a\b~c^d|e*[1]<f>&%$#_{}µ–--`é漢"
Make = Callable[..., Run]


def test_the_table_has_the_savings_of_the_run(make_run: Make) -> None:
    run = make_run("45nm")
    asa, ssa = run.estimates["45nm"]
    rows = {tuple(row[:2]): row[2:] for row in lines_of(run.to_latex())}
    assert set(rows) == {
        (part, counted)
        for part in ("attention", "FFN", "model")
        for counted in ("MACs, ACs", "fused", "unfused")
    }
    for (part, block), (counted, accounting) in (
        (("attention", "attention"), ("MACs, ACs", "compute")),
        (("FFN", "ffn"), ("fused", "fused")),
        (("model", None), ("unfused", "unfused")),
    ):
        found = saving(asa, ssa, accounting, block=block)
        assert found.asa_pj is not None
        assert found.ssa_pj is not None
        analog, spiking, saved, low, high = map(float, rows[part, counted])
        assert analog == pytest.approx(found.asa_pj / 1e3, rel=5e-4)  # in nJ, four digits
        assert spiking == pytest.approx(found.ssa_pj / 1e3, rel=5e-4)
        assert saved == pytest.approx(100 * found.saving, abs=0.005)
        assert low < saved < high


def test_two_columns_have_a_row_for_each_part_and_the_same_numbers(make_run: Make) -> None:
    run = make_run("45nm")
    one, two = lines_of(run.to_latex("one")), lines_of(run.to_latex("two"))
    assert [row[0] for row in two] == ["attention", "FFN", "model"]
    for i, row in enumerate(two):
        compute, fused, unfused = (one[3 * i + j][2:] for j in range(3))
        assert row[1:] == [*compute[:3], *fused, *unfused]  # MACs and ACs without percentiles


def test_caption_and_label_say_what_was_run(make_run: Make) -> None:
    text = make_run("45nm", "45nm-int8").to_latex()
    for said in (
        "tiny, weights random(seed=0), T = 4",
        "prefill, 4 tokens, full attention",
        "45 nm digital CMOS, FP32 (Horowitz 2014), 45 nm digital CMOS, INT8 (Horowitz 2014)",
        "spike rates and savings are not",
        "Without a price, so in no sum: div, exp, sqrt.",
    ):
        assert said in caption_of(text)
    label = r"\label{tab:tiny-random-seed-0--45nm-45nm-int8-T4-prefill-4-tokens}"
    assert label in text


def test_a_plan_says_that_its_rate_is_assumed(make_run: Make) -> None:
    assert "spike rate 0.125" in caption_of(make_run("45nm", command="plan").to_latex())


def test_what_has_no_price_is_unpriced_and_never_zero(make_run: Make) -> None:
    rows = lines_of(make_run("loihi").to_latex())
    assert len(rows) == 9
    for row in rows:
        assert row[2] == "unpriced"  # no price of a MAC
        assert row[4] == "unpriced"
    assert "0" not in {cell for row in rows for cell in row}


def test_an_unknown_width_is_refused(make_run: Make) -> None:
    with pytest.raises(ValueError, match="three"):
        make_run("45nm").to_latex("three")


def test_tables_compile_and_fit(make_run: Make, tmp_path: Path) -> None:
    several = make_run("45nm", "loihi", "45nm-int8")
    eight = replace(several, ssa=replace(several.ssa, timesteps=8))
    evil = make_run("45nm", model=EVIL, weights="w" * 60)
    long = f"a-run_with/a:{'n' * 40}"
    found = {
        "single": make_run("45nm"),
        "several": several,
        "evil": evil,
        "different": compare_runs({"first": several, long: evil}),
        "alike": compare_runs({"four": several, "eight": eight}),
    }
    assert_fits(
        {(name, fit): x.to_latex(fit) for name, x in found.items() for fit in ("one", "two")},
        tmp_path,
    )
