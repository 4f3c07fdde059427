"""A table is priced in columns or row by row, and nobody can tell."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import energy.counts.file
from energy import Counts, CountsError, Label, LayerCount, Tally, bill_of, estimate
from energy.counts import read_csv
from energy.counts.columns import Rows
from energy.table import Table
from hwmodels import Fusion, Op, load_profile
from reports.views.tables import ENERGY_COLUMNS, energies

NAMES = st.sampled_from(
    [
        "fc",
        "h.0",
        "h.0.fc",
        "h.1.fc",
        "h.1",
        "TOTAL",
        "sum",
        "",
        "a,b",
        "'=x",
        "'x",
        'say "x"',
        "\u212b",
        "tail",
    ]
)
#: Mostly what tables hold, and what `Reader` understands, rounds or refuses.
NUMBERS = st.integers(0, 10**12).map(str) | st.sampled_from(
    [
        "0",
        "007",
        "",
        " 5",
        "1.5",
        "2.75G",
        "1e3",
        "-1",
        "\u0664",
        "1_000",
        "9" * 15,
        "9" * 16,
        "9" * 31,
    ]
)
TEXTS = {
    "kind": st.sampled_from(["Linear", ""]),
    "block": st.sampled_from(["attention", "", "ffn"]),
    "component": st.sampled_from(["qkv", "mix", "ffn_up", ""]),
    "depth": st.sampled_from(["", "0", "1", "x"]),
    "variant": st.sampled_from(["asa"] * 9 + ["ssa"]),
    "phase": st.just("prefill"),
    "timesteps": st.just("4"),
    "remark": st.text(st.sampled_from("ab,\n "), max_size=3),
}
COUNTED = {op.value: NUMBERS for op in Op if op.is_counted}
OTHERS = {"slots": NUMBERS, "calls": NUMBERS, "mac_bytes": NUMBERS, "Levels": st.just("binary")}


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Rows under a few columns; in half of the tables every number is a plain one."""
    plain = draw(st.booleans())
    ops = draw(st.lists(st.sampled_from([*COUNTED]), min_size=1, max_size=4, unique=True))
    others = {**TEXTS} if plain else {**TEXTS, **OTHERS}
    columns = [*ops, *draw(st.lists(st.sampled_from([*others]), max_size=3, unique=True))]
    cells = {**TEXTS, **COUNTED, **OTHERS}
    if plain:
        cells |= dict.fromkeys(COUNTED, st.integers(0, 10**15 - 1).map(str))
    row = st.tuples(NAMES, *(cells[column] for column in columns))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["layer", *columns])
    unique = (lambda x: x[0]) if draw(st.booleans()) else None
    writer.writerows(draw(st.lists(row, min_size=1, max_size=5, unique_by=unique)))
    return text.getvalue() + draw(st.sampled_from(["", "", "\r\n", "x\r\n"]))


def told(path: Path, plain: bool) -> tuple[list[str], list[Counts] | str]:
    """What is said of a table, and the counts or the error, of both readers or the careful one."""
    said: list[str] = []
    read = energy.counts.file.read_plain
    with patch.object(energy.counts.file, "read_plain", read if plain else lambda _sheet: None):
        try:
            return said, read_csv(path, said.append)
        except CountsError as error:
            return said, str(error)


def bill(counts: list[Counts], fusion: Fusion) -> str:
    profile = load_profile("45nm").model_copy(update={"fusion": fusion})
    return energies([bill_of([one], profile) for one in counts]).to_csv()


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables(), st.sampled_from(Fusion))
def test_both_ways_to_read_say_the_same_and_cost_the_same(
    tmp_path: Path, text: str, fusion: Fusion
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8", newline="")
    (said, found), (also_said, careful) = (told(path, plain) for plain in (True, False))
    assert said == also_said
    assert found == careful
    if isinstance(found, list) and isinstance(careful, list):
        assert [x.tally for one in found for x in one.layers] == [
            x.tally for one in careful for x in one.layers
        ]
        assert bill(found, fusion) == bill(careful, fusion)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("layer,mac,ac\nfc,1,2\nproj,,7\n", True),
        ("layer,mac,ac\nfc,1,2\nproj,,\n", False),  # refused
        ("layer;mac\nfc;1\n", True),
        ("layer,mac\n'=fc,1\nproj,2\n", True),
        ("layer,mac\nfc,1\n\nproj,2\n", False),  # lines are not numbered as rows are
        ("layer,mac\nfc,1.0\n", False),
        (f"layer,mac\nfc,{10**15}\n", False),
        ("layer,mac,slots\nfc,1,2\n", False),
        ("variant,layer,mac\nasa,fc,1\nssa,fc,1\n", False),
    ],
)
def test_plain_tables_are_read_in_columns(tmp_path: Path, text: str, columns: bool) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    _, found = told(path, plain=True)
    assert (isinstance(found, list) and isinstance(found[0].layers, Rows)) == columns


def test_lines_of_a_bill_are_the_same_together_and_one_by_one() -> None:
    layers = [{Op.MAC: 5, Op.EXP: 2}, {Op.EXP: 1}, {Op.ADD: 2, Op.WEIGHT_READ: 3}, {}]
    labels = [Label("attention", "qkv"), Label("ffn", "act"), Label(), Label("ffn")]
    rows = (
        LayerCount(name, "Linear", label, 1, Tally(ops))
        for name, label, ops in zip("abcd", labels, layers, strict=True)
    )
    counts = Counts("asa", tuple(rows), model="m")
    for profile in (load_profile("45nm"), load_profile("loihi")):  # exp, add, mac without a price
        table = energies([estimate(counts, profile)])
        assert list(table.values()) == list(Table(ENERGY_COLUMNS, list(table.rows)).values())
