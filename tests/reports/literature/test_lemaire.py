from __future__ import annotations

import csv
from pathlib import Path

from rich.console import Console

from energy import Attention, Counts, Label, LayerCount, formulas
from energy.formulas import nonlinear
from energy.literature.lemaire import LEMAIRE, PARTS
from energy.literature.lemaire_bill import Bill, lemaire
from reports.literature.lemaire import print_lemaire, write_lemaire


def bill() -> Bill:
    rows = [
        ("fc", "Linear", formulas.linear(2, 8, 16, bias=True)),
        (
            "soft[max]",
            "Softmax",
            nonlinear.softmax(1, 2, 2, attention=Attention.FULL),
        ),
    ]
    layers = tuple(LayerCount(n, k, Label("ffn", "ffn_up"), 1, t) for n, k, t in rows)
    return lemaire(Counts("asa", layers, model="m", weights="random(seed=0)", tokens=2))


def test_the_file_has_a_line_per_row_and_an_empty_cell_outside_of_the_model(
    tmp_path: Path,
) -> None:
    found = bill()
    path = write_lemaire([("45nm-int32", found)], tmp_path / "lemaire.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        fc, softmax = csv.DictReader(lines)
    assert (fc["hw"], fc["accounting"], fc["weights"]) == (
        "45nm-int32",
        "lemaire",
        "random(seed=0)",
    )
    assert float(fc["total_pj"]) == found.energy_pj() > 0
    assert sum(float(fc[f"{part}_pj"]) for part in PARTS) == found.energy_pj()
    assert (softmax["total_pj"], softmax["operations_pj"]) == ("", "")
    assert softmax["outside"]


def test_the_terminal_names_what_is_outside_and_what_is_assumed() -> None:
    console = Console(width=150, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        print_lemaire([("my[chip]", bill())], console)
    text = captured.get()
    assert f"Accounting {LEMAIRE.name}" in text
    assert "my[chip]" in text
    assert "Outside of the model: 1 row, no matrix product and no neuron" in text
    assert "No DRAM" in text
