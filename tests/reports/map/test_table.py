from __future__ import annotations

import io
from collections.abc import Callable

from maps import MIB, Costs, energy_map
from rich.console import Console

from reports.map.table import map_table, panels_table, print_maps


def fused(batch: int, context: int, bits: float, sram: int) -> Costs:
    """Dense at batch 4, zones at long contexts, spiking else, there by little."""
    if batch == 4:
        return 10.0, 11.0, 12.0
    return (10.0, 9.0, 9.5) if context > 128 else (10.0, 9.0, 8.96)


def unfused(batch: int, context: int, bits: float, sram: int) -> Costs:
    return (9.0, 10.0, 11.0) if batch == 2 else fused(batch, context, bits, sram)


def test_the_file(golden: Callable[[str, str], None]) -> None:
    found = energy_map(fused, unfused, sram=[MIB], weight_bits=[4.5], unpriced=("exp", "sqrt"))
    golden("map.csv", map_table([found]).to_csv())


def test_people_read_a_letter_a_saving_and_a_star() -> None:
    table = panels_table(energy_map(fused, unfused, sram=[MIB], weight_bits=[4.5]))
    assert [column.heading for column in table.shown][3:] == ["batch 1", "batch 2", "batch 4"]
    # 1 - 9 / 10, and 1 - 8.96 / 10, of which 1 - 8.96 / 9 = 0.4 % is more than zones save.
    assert table.cells() == [
        ["1 MiB", "4.5 bits", "128", "S (10) ", "S (10)*", "D 0 "],
        ["1 MiB", "4.5 bits", "1,024", "Z 10 ", "Z 10*", "D 0 "],
    ]
    assert table.title.startswith("gpt2-large, weights none(closed form), decode, T = 4")


def test_what_is_printed_ends_in_what_it_comes_to() -> None:
    out = io.StringIO()
    print_maps([energy_map(fused, unpriced=("exp",))], Console(file=out, width=200))
    said = out.getvalue()
    assert "Without a price on 45nm, so in no bill: exp." in said
    assert "Spiking costs least in 8 of 24 cells (fused), never at batch above 2" in said
    assert "in 8 of them less than 1 %" in said
    assert said.rstrip().endswith("`neurt-energy evaluate` measures.")
