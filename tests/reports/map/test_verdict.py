from __future__ import annotations

from dataclasses import replace

from maps import MIB, Costs, energy_map

from energy.bill.stack import PARTS as ALL_PARTS
from reports.map.cells import Bill
from reports.map.verdict import PARTS, verdict


def test_where_spiking_costs_least_and_by_how_much() -> None:
    def fused(batch: int, context: int, bits: float, sram: int) -> Costs:
        if batch > 2 or bits > 8:
            return 10.0, 8.0, 9.0
        return 10.0, 8.0, (6.0 if sram == MIB else 7.6)

    # 2 batches x 2 contexts x 1 width x 2 sizes: 1 - 6 / 8 = 25 %, 1 - 7.6 / 8 = 5 %.
    assert verdict(energy_map(fused)) == [
        "Spiking costs least in 8 of 24 cells (fused), never at batch above 2, never with weights "
        "above 4.5 bits; it saves 5.00 % to 25.00 % against the next best. "
        "What decides: MACs, ACs.",
        "Elsewhere: analog with zones in 16 cells.",
        "Unfused, the same model costs least in each cell.",
    ]


def test_never_and_how_close_it_comes() -> None:
    def fused(batch: int, context: int, bits: float, sram: int) -> Costs:
        return 10.0, 12.0, 10.5 if (batch, context, bits, sram) == (4, 128, 32, MIB) else 11.0

    def unfused(batch: int, context: int, bits: float, sram: int) -> Costs:
        return (10.0, 9.0, 8.0) if batch == 1 else (10.0, 12.0, 11.0)

    assert verdict(energy_map(fused, unfused)) == [
        "Spiking never costs least in these 24 cells (fused); it comes closest at batch 4, context "
        "128, 32-bit weights, SRAM of 1 MiB: 5.00 % above dense analog. What decides: MACs, ACs.",
        "Elsewhere: dense analog in 24 cells.",
        "Unfused, another model costs least in 8 of the cells; the spiking one then does in 8.",
    ]


def test_everywhere() -> None:
    first, *rest = verdict(energy_map(lambda *_: (10.0, 9.0, 8.1), batches=[3], sram=[MIB]))
    assert first == (
        "Spiking costs least in all 4 cells (fused); it saves 10.00 % against the next best. What "
        "decides: MACs, ACs."
    )
    assert rest == ["Unfused, the same model costs least in each cell."]


def test_each_part_of_a_bill_has_a_name() -> None:
    assert PARTS.keys() == {*ALL_PARTS}


def test_parts_that_decide_are_counted_where_there_are_several() -> None:
    def of(weights: float) -> Bill:
        dense = {"weights": 6.0, "compute": 6.0}
        spiking = {"weights": weights, "compute": 9.0 - weights}
        return Bill({"dense": dense, "zones": dense, "spiking": spiking})

    made = energy_map(lambda *_: (1.0, 1.0, 1.0), batches=[1], weight_bits=[8], sram=[MIB])
    # 6 - 3.5 and 6 - 5.5 of arithmetic at the first context, 6 - 6 and 6 - 3 at the second.
    bills = (of(3.5), of(6.0))
    cells = tuple(x._replace(fused=y, unfused=y) for x, y in zip(made.cells, bills, strict=True))
    [first, _] = verdict(replace(made, cells=cells))
    assert first.endswith("What decides: weights (1 cell); MACs, ACs (1 cell).")
