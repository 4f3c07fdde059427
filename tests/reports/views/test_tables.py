from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from energy import Label, LayerCount, Tally, estimate
from energy.bill.layer import ACCOUNTINGS, GROUPS, STORED
from hwmodels import Evidence, Op, StaticPower, load_profile
from reports import Run
from reports.views.tables import energies, layers, savings

GROUP_COLUMNS = [f"{group}_pj" for group in GROUPS]


def test_there_is_a_row_per_hardware_variant_and_layer_in_that_order(run: Run) -> None:
    frame = layers(run).to_frame()
    assert list(zip(frame.hw, frame.variant, frame.layer, strict=True)) == [
        (hw, counts.variant, layer.name)
        for hw in ("45nm", "loihi")
        for counts in (run.asa, run.ssa)
        for layer in counts.layers
    ]


def test_the_headings_of_a_row_add_up_to_its_energy(run: Run) -> None:
    frame = layers(run).to_frame()
    assert (frame.energy_pj > 0).any()
    complete = frame[frame.energy_pj.notna()]
    for row, total in zip(
        # A heading of which nothing has a price is empty.
        complete[GROUP_COLUMNS].fillna(0).itertuples(index=False),
        complete.energy_pj,
        strict=True,
    ):
        assert math.fsum(row) == pytest.approx(total, rel=1e-12)


def test_memory_is_split_by_what_is_stored(run: Run) -> None:
    rows = energies(run.estimates["45nm"]).records()
    assert {row["fusion"] for row in rows} == {"fused"}
    for row in rows:
        parts = [row[f"{part}_pj"] for part in STORED]
        assert math.fsum(parts) == pytest.approx(row["memory_pj"])
    [scores] = [x for x in rows if (x["variant"], x["layer"]) == ("ssa", "h.0.attn.scores")]
    # Of 128 slots of Q 16 have an event, whose place among 4 channels is 2 bits: 4 bytes; of K 128
    # slots of a bit are written and 128 read, 16 bytes each; all at 1.25 pJ.
    assert [scores[f"{part}_pj"] for part in STORED] == pytest.approx([0, 5, 40])


def test_a_row_whose_macs_have_no_price_has_no_energy_rather_than_none_of_it(run: Run) -> None:
    frame = layers(run).to_frame()
    gap = (frame.hw == "loihi") & (frame.mac > 0)  # Loihi has no multiplier
    assert gap.any()
    assert frame[gap].energy_pj.isna().all()
    assert frame[gap].compute_pj.isna().all()
    # a norm of which nothing has a price is a gap too; no other row is one
    empty = frame[~gap].energy_pj.isna()
    assert (frame[~gap].unpriced[empty] != "").all()
    assert frame[~gap].energy_pj[frame[~gap].unpriced == ""].notna().all()
    _, ssa = run.estimates["loihi"]
    assert energies([ssa]).records()[-1]["energy_pj"] is None  # the head stays dense


def test_the_rows_add_up_to_the_totals_of_the_counts_and_of_the_bill(run: Run) -> None:
    frame = layers(run).to_frame()
    for hw, pair in run.estimates.items():
        for bill in pair:
            part = frame[(frame.hw == hw) & (frame.variant == bill.counts.variant)]
            if not bill.lacks_compute:
                assert math.fsum(part.energy_pj) == pytest.approx(bill.energy_pj(), rel=1e-12)
            assert part.mac.sum() == bill.counts.total(Op.MAC)
            assert part.ac.sum() == bill.counts.total(Op.AC)
            assert part.dense_macs.sum() == bill.counts.dense_macs
            assert part.neuron_update.sum() == bill.counts.total(Op.NEURON_UPDATE)


def test_a_layer_row_is_the_arithmetic_of_its_shapes(run: Run) -> None:
    frame = layers(run).to_frame()
    [row] = frame[
        (frame.hw == "45nm") & (frame.variant == "ssa") & (frame.layer == "h.1.attn.c_attn")
    ].to_dict("records")
    # T n = 4 x 4 = 16 rows of d = 8 slots; every fourth of the 128 spikes: 32 x 24 outputs ACs.
    assert (row["slots"], row["spikes"], row["spike_rate"]) == (128, 32, 0.25)
    assert (row["mac"], row["ac"], row["dense_macs"]) == (0, 768, 16 * 8 * 24)
    assert row["compute_pj"] == pytest.approx(768 * 0.9)
    # Weights 8 x 24 and biases 24 from an SRAM that holds all weights of the model, which costs
    # between 1.25 (8 KiB) and 2.5 pJ per byte (32 KiB). A quarter of the 128 slots has an event:
    # its place among 8 channels, 3 bits, and its sign are 1 bit per slot, 16 bytes from an SRAM of
    # less than 8 KiB. Fused, what becomes spikes on its way is not written.
    weights = 4 * run.ssa.total(Op.WEIGHT_READ, Op.VECTOR_READ)
    assert 8192 < weights < 32768
    pj_per_byte = 1.25 + 1.25 * (weights - 8192) / (32768 - 8192)
    traffic = (8 * 24 + 24) * 4 * pj_per_byte + 16 * 1.25
    assert row["fusion"] == "fused"
    assert row["memory_pj"] == pytest.approx(traffic)
    # 768 events use each of the 192 weights 4 times: one fetch of 4 bytes for each weight
    assert row["delivery_pj"] == pytest.approx(192 * 4 * 1.25)
    assert (row["block"], row["component"], row["depth"], row["calls"]) == (
        "attention",
        "qkv",
        1,
        1,
    )


def shifted(run: Run) -> Run:
    """The same run, in which the Q, K, V projections take events with a payload."""
    layers = tuple(
        replace(x, tally=x.tally._replace(ops={**x.tally.ops, Op.AC: 0, Op.SHIFT_AC: x.ops[Op.AC]}))
        if x.label.component == "qkv"
        else x
        for x in run.ssa.layers
    )
    return replace(run, ssa=replace(run.ssa, layers=layers))


def test_events_with_a_payload_have_a_column_and_a_price_of_their_own(run: Run) -> None:
    frame = layers(shifted(run)).to_frame().set_index(["hw", "variant", "layer"])
    row = frame.loc["45nm", "ssa", "h.1.attn.c_attn"]
    assert (row.ac, row.shift_ac) == (0, 768)
    assert row.compute_pj == pytest.approx(768 * (0.9 + 0.03))
    assert frame.loc["loihi", "ssa", "h.1.attn.c_attn"].unpriced.split()[0] == "shift_ac"
    assert pd.isna(frame.loc["loihi", "ssa", "h.1.attn.c_attn"].compute_pj)
    parts = savings(shifted(run)).to_frame().set_index(["hw", "block", "component", "accounting"])
    part = parts.loc["45nm", "attention", "total", "compute"]
    # of 2 x 1,024 events 2 x 768 are those of the projections
    assert (part.ssa_shift_ac, part.ssa_ac) == (2 * 768, 2 * 256)
    assert part.events_per_mac == pytest.approx(2048 / 2560)
    assert part.ssa_pj == pytest.approx(1536 * 0.93 + 512 * 0.9)


def test_counts_stay_integers_in_the_file(run: Run) -> None:
    text = layers(run).to_csv()
    for row in csv.DictReader(io.StringIO(text)):
        for column in (
            "calls",
            "dense_macs",
            "mac",
            "ac",
            "shift_ac",
            "neuron_update",
            "spikes",
            "slots",
        ):
            assert row[column].isdecimal(), (row["layer"], column)
        assert row["depth"].isdecimal() or not row["depth"]


def test_a_layer_without_events_has_an_empty_spike_rate_and_one_outside_an_empty_depth(
    run: Run,
) -> None:
    rows = list(csv.DictReader(io.StringIO(layers(run).to_csv())))
    outside = {row["layer"] for row in rows if row["depth"] == ""}
    assert outside == {"wte", "ln_f", "lm_head"}
    assert {row["spike_rate"] for row in rows if row["variant"] == "asa"} == {""}


def test_a_row_names_the_operations_it_has_and_that_have_no_price(run: Run) -> None:
    frame = layers(run).to_frame().set_index(["hw", "variant", "layer"]).unpriced
    assert frame["45nm", "asa", "h.0.ln_1"] == "sqrt"
    assert frame["45nm", "asa", "h.0.attn.c_attn"] == ""
    assert frame["45nm", "ssa", "h.0.attn.neuron"] == ""
    assert frame["loihi", "asa", "h.0.attn.scores"] == "mac kv_read_values kv_write_values"


def test_model_and_weights_are_in_every_row(run: Run) -> None:
    bills = [bill for pair in run.estimates.values() for bill in pair]
    for table in (layers(run), savings(run), energies(bills)):
        frame = table.to_frame()
        assert set(frame.model) == {"tiny"}
        assert set(frame.weights) == {"random(seed=0)"}


@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_savings_of_blocks_are_the_sums_of_their_components(run: Run, accounting: str) -> None:
    frame = savings(run).to_frame()
    frame = frame[(frame.hw == "45nm") & (frame.accounting == accounting)]
    blocks = frame[(frame.component == "total") & (frame.block != "total")]
    assert list(blocks.block) == ["embedding", "attention", "ffn", "head"]
    for column in ("asa_pj", "ssa_pj", "asa_mac", "ssa_mac", "ssa_ac"):
        for block, total in zip(blocks.block, blocks[column], strict=True):
            parts = frame[(frame.block == block) & (frame.component != "total")][column]
            assert math.fsum(parts) == pytest.approx(total, rel=1e-12), (block, column)
        [grand] = frame[frame.block == "total"][column]
        assert math.fsum(blocks[column]) == pytest.approx(grand, rel=1e-12), column


def test_the_saving_of_the_attention_block_is_the_arithmetic_of_its_shapes(run: Run) -> None:
    frame = savings(run).to_frame().set_index(["hw", "block", "component", "accounting"])
    row = frame.loc["45nm", "attention", "total", "compute"]
    # Per layer: Q, K, V 4 x 8 x 24 = 768, scores and mix 2 heads x 4 x 4 x 4 = 128 each,
    # projection 4 x 8 x 8 = 256: 1,280 MACs, twice.
    assert row.asa_mac == 2 * 1280
    # Spiking: 128/4 x 24 = 768, 128/8 x 4 = 64 each, 128/8 x 8 = 128: 1,024 ACs, twice.
    assert (row.ssa_ac, row.ssa_mac) == (2 * 1024, 0)
    assert row.asa_pj == pytest.approx(2560 * 4.6)
    assert row.ssa_pj == pytest.approx(2048 * 0.9)
    assert row.saving == pytest.approx(1 - (2048 * 0.9) / (2560 * 4.6))
    assert row.events_per_mac == pytest.approx(2048 / 2560)
    assert (row.timesteps, row.phase, row.tokens, row.attention) == (4, "prefill", 4, "full")


def test_a_part_whose_macs_have_no_price_has_no_saving(run: Run) -> None:
    frame = savings(run).to_frame().set_index(["hw", "block", "component", "accounting"])
    for accounting in ACCOUNTINGS:
        row = frame.loc["loihi", "attention", "total", accounting]
        assert pd.isna(row.asa_pj)
        assert pd.isna(row.saving)
        assert row.unpriced.split()[0] == "mac"
    assert frame.loc["loihi", "attention", "total", "compute"].ssa_pj == pytest.approx(2048 * 23.6)
    head = frame.loc["loihi", "head", "lm_head", "compute"]
    assert pd.isna(head.asa_pj)
    assert pd.isna(head.ssa_pj)


def test_what_is_missing_is_an_empty_cell(run: Run) -> None:
    rows = csv.DictReader(io.StringIO(savings(run).to_csv()))
    row = next(r for r in rows if (r["hw"], r["block"]) == ("loihi", "attention"))
    while row["component"] != "total":
        row = next(rows)
    assert (row["asa_pj"], row["saving"]) == ("", "")


def test_a_part_that_costs_nothing_has_no_saving(run: Run) -> None:
    [norm] = [
        row
        for row in savings(run).records()
        if [*row.values()][:4] == ["45nm", "attention", "norm", "compute"]
    ]
    assert (norm["asa_pj"], norm["ssa_pj"], norm["saving"]) == (0.0, 0.0, None)


def test_all_accountings_list_the_same_parts_with_the_totals_after_their_parts(run: Run) -> None:
    rows = [row for row in savings(run).records() if row["hw"] == "45nm"]
    compute, fused, unfused = (
        [(row["block"], row["component"]) for row in rows if row["accounting"] == accounting]
        for accounting in ACCOUNTINGS
    )
    assert compute == fused == unfused
    assert compute == [
        ("embedding", "embedding"),
        ("embedding", "total"),
        ("attention", "norm"),
        ("attention", "neuron"),
        ("attention", "qkv"),
        ("attention", "scores"),
        ("attention", "softmax"),
        ("attention", "mix"),
        ("attention", "proj"),
        ("attention", "total"),
        ("ffn", "norm"),
        ("ffn", "neuron"),
        ("ffn", "ffn_up"),
        ("ffn", "activation"),
        ("ffn", "ffn_down"),
        ("ffn", "total"),
        ("head", "norm"),
        ("head", "lm_head"),
        ("head", "total"),
        ("total", "total"),
    ]


def test_a_layer_nobody_could_place_is_in_the_grand_total(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    stray = LayerCount("stray", "Conv2d", Label("other", "Conv2d"), 1, Tally({Op.MAC: 1000}, 1000))
    asa = replace(run.asa, layers=(*run.asa.layers, stray))
    before, after = (
        savings(r).to_frame().set_index(["block", "component", "accounting"]).asa_pj
        for r in (run, replace(run, asa=asa))
    )
    assert after["other", "Conv2d", "compute"] == pytest.approx(4600.0)
    grand = "total", "total", "compute"
    assert after[grand] - before[grand] == pytest.approx(4600.0)


def test_the_energy_rows_end_in_a_total_of_the_rows_above(run: Run) -> None:
    for pair in run.estimates.values():
        for bill in pair:
            *rows, total = energies([bill]).records()
            assert [row["layer"] for row in rows] == [layer.name for layer in bill.counts.layers]
            assert (total["layer"], total["block"], total["component"]) == ("TOTAL", "", "")
            known = [c for c in (*GROUP_COLUMNS, "energy_pj") if total[c] is not None]
            assert ("energy_pj" in known) is not bill.lacks_compute
            for column in known:
                assert math.fsum(row[column] for row in rows) == pytest.approx(  # type: ignore[misc]
                    total[column], rel=1e-12
                )
            assert set(str(total["unpriced"]).split()) == {
                op for row in rows for op in str(row["unpriced"]).split()
            }


def test_a_heading_without_any_price_is_a_gap_and_static_energy_stands_beside_it(run: Run) -> None:
    bill = estimate(run.ssa, load_profile("northpole"))
    *rows, total = energies([bill]).records()
    # It has no buffer beside the adders, and so no fetches.
    gaps = dict.fromkeys(GROUPS) | {"delivery": 0.0}
    assert {group: total[f"{group}_pj"] for group in GROUPS} == gaps
    assert total["static_pj"] is None
    assert all(row["static_pj"] is None for row in rows)
    chip = load_profile("45nm").model_copy(
        update={"static_power": StaticPower(watts=2, source="a bench", evidence=Evidence.MEASURED)}
    )
    warm = estimate(run.ssa, chip, latency_s=1e-9)
    *_, total = energies([warm]).records()
    assert total["static_pj"] == pytest.approx(2000)  # 2 W x 1 ns
    parts = [total[f"{group}_pj"] for group in GROUPS]
    assert total["energy_pj"] == pytest.approx(sum(parts) + 2000)  # type: ignore[arg-type]
