from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from latex import assert_fits, caption_of, lines_of

from energy import Counts, Label, LayerCount, Tally
from energy.compare.energy_range import energy_range
from hwmodels import Op, load_profiles
from reports.count.latex import count_latex
from reports.count.run import CountRun, part_pj
from reports.kit.fit import Fit

ROWS = (
    LayerCount("qkv", "Linear", Label("attention", "qkv", 0), 1, Tally({Op.MAC: 12e6}, 12e6)),
    LayerCount("mix", "MatMul", Label("attention", "mix", 0), 1, Tally({Op.MAC: 3e6}, 3e6)),
    LayerCount("act", "GELU", Label("ffn", "activation", 0), 1, Tally({Op.ADD: 2000})),
    LayerCount("lm_head", "Linear", Label("head", "lm_head"), 1, Tally({Op.MAC: 5e6}, 5e6)),
)


def counted(*hw: str, events: float = 0) -> CountRun:
    more = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.AC: events}))
    rows = (*ROWS, more) if events else ROWS
    counts = Counts("asa", rows, r"a\b_c", "none (closed form)", tokens=5)
    return CountRun(counts, load_profiles(hw), {}, {}, "now")


def test_each_component_has_what_it_counts_and_costs() -> None:
    run = counted("45nm")
    rows = {tuple(row[:2]): row[2:] for row in lines_of(count_latex(run, Fit.TWO))}
    # FFN and head have one component each, which is all of them.
    assert list(rows) == [
        *(("attention", x) for x in ("qkv", "mix", "all")),
        *((x, "all") for x in ("FFN", "head", "model")),
    ]
    # 15 million MACs at 4.6 pJ are 69 µJ; 20 million 92 µJ.
    assert rows["attention", "all"][0:3:2] == ["15.00", "69.00"]
    assert rows["model", "all"][0:3:2] == ["20.00", "92.00"]
    [bill] = run.estimates.values()
    for place, bound in ((3, "fused"), (4, "unfused")):
        pj = part_pj(bill, bound)
        assert pj is not None
        assert float(rows["model", "all"][place]) == pytest.approx(pj / 1e6, rel=5e-4)


def test_one_column_has_the_same_numbers_without_other_operations_and_shares() -> None:
    one, two = (lines_of(count_latex(counted("45nm"), fit)) for fit in Fit)
    assert [row[0] for row in one] == ["qkv", "mix", "attention", "FFN", "head", "model"]
    for short, whole in zip(one, two, strict=True):
        assert short[1:] == [whole[2], *whole[4:7]]
    assert two[-1][3] == "2.000"  # 2,000 additions, in thousands
    assert two[-1][-2:] == ["100.0", "100.0"]


def test_accumulates_have_a_column_where_there_are_any() -> None:
    alone = count_latex(counted("45nm"))
    both = count_latex(counted("45nm", events=4e6))
    assert lines_of(both)[-1][1:3] == ["20.00", "4.000"]
    assert len(lines_of(both)[-1]) == len(lines_of(alone)[-1]) + 1


def test_the_caption_says_what_was_counted_and_how_far_prices_go() -> None:
    run = counted("45nm", "loihi")
    text = count_latex(run)
    caption = caption_of(text)
    assert r"a\textbackslash{}b\_c, weights none (closed form)" in caption
    found = energy_range(run.estimates["45nm"], "fused")
    assert found is not None
    assert f"{found.low_pj / 5e6:.3g} \\textmu{{}}J to" in caption  # per token, of five
    assert "loihi:" not in caption  # no interval without a price of a MAC
    assert "Without a price, so in no sum: mac" in caption
    assert "unpriced" in text


@pytest.mark.slow
def test_it_compiles_and_fits(tmp_path: Path) -> None:
    alone, both = counted("45nm", events=5e9), counted("45nm", "45nm-int8", "loihi")
    long = replace(alone, counts=replace(alone.counts, model="local(" + "x" * 60 + ")"))
    tables = {
        (name, str(fit)): count_latex(run, fit)
        for name, run in {"alone": alone, "both": both, "long": long}.items()
        for fit in Fit
    }
    assert_fits(tables, tmp_path)
