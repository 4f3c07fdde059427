from __future__ import annotations

import math
from typing import Any

import pytest

from energy import Counts, Label, LayerCount, Tally, estimate, saving
from energy.bill.saving import SAVING_COLUMNS
from energy.table import Table
from energy.words import energy
from hwmodels import Op, load_profile

EVIL = "<script>alert(1)</script>|`x`"


def layer(name: str, component: str, depth: int | None = None, **tally: Any) -> LayerCount:
    return LayerCount(name, "Linear", Label("ffn", component, depth), 1, Tally(**tally))


@pytest.fixture
def counts() -> Counts:
    return Counts(
        "ssa",
        (
            layer("a", "ffn_up", 0, ops={Op.MAC: 10}, dense_macs=10, zero_macs=4),
            layer("b", "ffn_up", 1, ops={Op.AC: 6, Op.SQRT: 2}, dense_macs=8, spikes=1, slots=4),
            layer(EVIL, "head"),
        ),
        model=EVIL,
        weights="random(seed=0)",
        timesteps=4,
        tokens=3,
    )


def test_counts_become_a_frame_with_gaps_where_nothing_is_known(counts: Counts) -> None:
    frame = counts.to_frame()
    assert list(frame.columns) == counts.table().names
    assert counts.table().names[counts.table().names.index("slots") + 1] == "spike_rate"
    assert frame["mac"].tolist() == [10, 0, 0]
    assert str(frame["depth"].dtype) == str(frame["zero_macs"].dtype) == "Int64"
    assert frame["depth"].isna().tolist() == [False, False, True]
    assert frame["zero_macs"].isna().tolist() == [False, True, True]
    assert frame["spike_rate"].isna().tolist() == [True, False, True]
    assert frame["spike_rate"][1] == 1 / 4
    assert frame["layer"][2] == EVIL


def test_an_estimate_becomes_a_frame_that_adds_up(counts: Counts) -> None:
    bill = estimate(counts, load_profile("45nm"))
    frame = bill.to_frame()
    # 10 MACs x 4.6 pJ, 6 ACs x 0.9 pJ.
    assert frame["compute_pj"].tolist() == pytest.approx([46.0, 5.4, 0.0])
    assert frame["energy_pj"].sum() == pytest.approx(bill.energy_pj())
    assert frame["unpriced"].tolist() == ["", "sqrt", ""]
    assert set(frame["hw"]) == {"45nm"}


def test_a_layer_without_a_price_of_its_macs_is_a_gap_and_no_zero(counts: Counts) -> None:
    frame = estimate(counts, load_profile("loihi")).to_frame()
    assert frame["compute_pj"].isna().tolist() == [True, False, False]
    assert frame["energy_pj"].isna().tolist() == [True, False, False]
    assert str(frame["energy_pj"].dtype) == "float64"


def test_savings_become_a_frame(counts: Counts) -> None:
    bill = estimate(counts, load_profile("45nm"))
    part = saving(bill, bill, "full")
    assert part.to_frame().to_dict("records") == [
        {
            "block": "total",
            "component": "total",
            "accounting": "full",
            "asa_pj": bill.energy_pj(),
            "ssa_pj": bill.energy_pj(),
            "saving": 0.0,
            "unpriced": "sqrt",
        }
    ]
    lost = estimate(counts, load_profile("loihi"))
    frame = Table(SAVING_COLUMNS, [part, saving(lost, lost)]).to_frame()
    assert [math.isnan(x) for x in frame["saving"]] == [False, True]


def test_html_is_escaped_and_has_the_numbers(counts: Counts) -> None:
    bill = estimate(counts, load_profile("45nm"))
    for shown in (counts, bill, saving(bill, bill)):
        html = shown._repr_html_()
        assert "<script" not in html
        assert html.startswith("<table>")
    shown = counts._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "random(seed=0)" in shown
    # Both layers of the component have 1 spike in 4 slots, and so has the model.
    assert shown.count('<td style="text-align:right">0.2500</td>') == 3
    assert "46 pJ" not in bill._repr_html_()  # the MACs and the ACs of ffn_up together
    assert "51.4 pJ" in bill._repr_html_()
    assert "without a price: sqrt" in bill._repr_html_()


def test_html_of_what_has_no_price_says_so(counts: Counts) -> None:
    lost = estimate(counts, load_profile("loihi"))
    assert ">unpriced<" in lost._repr_html_()
    assert ">unpriced<" in saving(lost, lost)._repr_html_()


@pytest.mark.parametrize(
    ("pj", "text"),
    [
        (None, "unpriced"),
        (0.0, "0 pJ"),
        (12.5, "12.5 pJ"),
        (1500.0, "1.5 nJ"),
        (-2e6, "-2 µJ"),
        (3e9, "3 mJ"),
        (4.5678e12, "4.568 J"),
    ],
)
def test_an_energy_has_a_unit_that_fits(pj: float | None, text: str) -> None:
    assert energy(pj) == text
