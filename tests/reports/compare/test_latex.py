from __future__ import annotations

from collections.abc import Callable

import pytest
from latex import caption_of, lines_of

from reports import Run
from reports.compare.comparison import Comparison, compare_runs


@pytest.fixture
def found(make_run: Callable[..., Run]) -> Comparison:
    return compare_runs({"first": make_run("45nm", "loihi"), "wide": make_run("45nm", width=16)})


def test_a_row_has_what_tells_it_apart_and_its_savings(found: Comparison) -> None:
    rows = lines_of(found.to_latex())
    assert [row[0] for row in rows] == [
        "first: 45nm, layerwise",
        "first: loihi, event-driven",
        "wide: 45nm, layerwise",
    ]
    for row, shown in zip(found.rows, rows, strict=True):
        for accounting, cell in zip(("compute", "fused", "unfused"), shown[1:], strict=True):
            share = row.parts[accounting, None].saving.saving
            assert cell == ("unpriced" if share is None else f"{100 * share:.2f}")


def test_what_is_the_same_is_in_the_caption(found: Comparison) -> None:
    assert "tiny, weights random(seed=0), T = 4, prefill" in caption_of(found.to_latex())
    assert r"\label{tab:comparison-first-wide}" in found.to_latex()


def test_two_columns_have_energies_per_token_too(found: Comparison) -> None:
    row = lines_of(found.to_latex("two"))[2]
    asa = found.rows[2].parts["fused", None].saving.asa_pj
    assert asa is not None
    assert float(row[7]) == pytest.approx(asa / 4 / 1e3, rel=5e-4)  # 4 tokens, in nJ
    assert "{analog (nJ/token)}" in found.to_latex("two")
