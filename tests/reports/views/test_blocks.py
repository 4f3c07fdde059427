from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from reports import Run
from reports.views.blocks import PARTS, block_table, blocks

MakeRun = Callable[..., Run]


def rows(run: Run, **chosen: str) -> list[dict[str, Any]]:
    return [row for row in blocks(run).records() if chosen.items() <= row.items()]


def test_the_parts_of_a_block_are_its_energy_and_the_blocks_are_the_model(
    make_run: MakeRun,
) -> None:
    run = make_run("45nm")
    for bound in ("fused", "unfused"):
        for bill in run.estimates["45nm"]:
            *inside, total = rows(run, fusion=bound, variant=bill.counts.variant)
            assert [row["block"] for row in inside] == ["embedding", "attention", "ffn", "head"]
            for row in (*inside, total):
                parts = math.fsum(row[f"{part}_pj"] for part in PARTS)
                assert parts == pytest.approx(row["energy_pj"], rel=1e-12)
            assert total["energy_pj"] == pytest.approx(bill.energy_pj(bound), rel=1e-12)
            sums = math.fsum(row["energy_pj"] for row in inside)
            assert sums == pytest.approx(total["energy_pj"], rel=1e-12)


def test_a_part_is_the_arithmetic_of_its_shapes(make_run: MakeRun) -> None:
    run = make_run("45nm")
    [fused], [unfused] = (
        rows(run, fusion=bound, variant="asa", block="attention") for bound in ("fused", "unfused")
    )
    # 2,560 MACs, see test_tables; keys and values of 2 layers: 2 x 4 tokens x 8 values of 4 bytes,
    # written once and read once, at 1.25 pJ per byte. The cache is the same at both bounds.
    assert fused["compute_pj"] == unfused["compute_pj"] == pytest.approx(2560 * 4.6)
    assert fused["kv_pj"] == unfused["kv_pj"] == pytest.approx(2 * 2 * (2 * 4 * 8 * 4) * 1.25)
    assert fused["activations_pj"] < unfused["activations_pj"]


def test_what_has_no_price_is_a_gap(make_run: MakeRun) -> None:
    [row] = rows(make_run("loihi"), fusion="fused", variant="asa", block="head")
    assert (row["compute_pj"], row["energy_pj"]) == (None, None)
    assert "mac" in row["unpriced"].split()


def test_people_see_both_bounds_and_both_models_of_a_block_together(make_run: MakeRun) -> None:
    table = block_table(make_run("45nm"), "45nm")
    assert [row[:3] for row in table.cells()][4:8] == [
        ["attention block", bound, model]
        for bound in ("fused", "unfused")
        for model in ("analog", "spiking")
    ]
    headings = [column.heading for column in table.shown]
    assert headings[3:] == [
        *("MACs, ACs", "non-linear", "neurons", "delivery", "weights", "activations, spikes"),
        *("KV cache", "sum"),
    ]
