from __future__ import annotations

import io

from rich.console import Console

from energy.table import Table
from hwmodels import HardwareProfile, load_profile
from hwmodels.diff import differences
from reports.hardware.profile import COLUMNS, print_differences


def shown(a: HardwareProfile, b: HardwareProfile) -> list[str]:
    out = io.StringIO()
    print_differences(a, b, Console(file=out, width=900, highlight=False))
    return out.getvalue().splitlines()


def cells(a: HardwareProfile, b: HardwareProfile, key: str) -> list[str]:
    [row] = [row for row in Table(COLUMNS, differences(a, b)).cells() if row[0] == key]
    return row


def test_a_row_has_both_values_their_ratio_and_both_sources() -> None:
    fp32, int8 = load_profile("45nm"), load_profile("45nm-int8")
    lines = shown(fp32, int8)
    assert lines[:2] == [f"A 45nm: {fp32.title}", f"B 45nm-int8: {int8.title}"]
    what, a, b, ratio, source_a, source_b = cells(fp32, int8, "prices.mac")
    # int8 multiply 0.2 + int32 add 0.1 pJ; 0.3 / 4.6
    assert (what, a, b, ratio) == ("prices.mac", "4.6", "0.3", "0.0652")
    assert source_a == f"derived: {fp32.prices['mac'].source}"  # type: ignore[index]
    assert source_b == f"derived: {int8.prices['mac'].source}"  # type: ignore[index]
    assert cells(fp32, int8, "precision")[1:4] == ["fp32", "int8", "-"]
    assert cells(fp32, int8, "prices.div")[2:4] == ["-", "-"]
    assert not [line for line in lines if "memory" in line]


def test_a_spread_is_part_of_the_claim() -> None:
    wide = load_profile("45nm")
    dram = wide.memory["dram"].model_copy(update={"spread": (0.5, 4.0), "source": "[a] bench"})
    narrow = wide.model_copy(update={"memory": wide.memory | {"dram": dram}})
    row = cells(wide, narrow, "memory.dram.read_pj_per_byte")
    assert row[1:4] == ["162.5", "162.5", "1"]
    assert row[5] == "projected x0.5 to x4: [a] bench"


def test_two_that_are_the_same() -> None:
    same = load_profile("loihi")
    assert shown(same, same)[-1] == "no number, placement or rule differs"
