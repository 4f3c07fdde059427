"""Tables and claims that others made, end to end: what they cost, by arithmetic."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

Priced = Callable[..., dict[str, str]]

#: A layer of 500,000 weights of 2 bytes, each used once: a table of Accelergy.
LAYER = {
    **{"layer": "fc", "mac": 500_000, "weight_read_bytes": 1_000_000},
    **{"activation_read_bytes": 3000, "activation_write_bytes": 1000},
}
#: Prices as Accelergy writes them: DRAM per bit, a buffer per word of 8 bytes.
CHIP = """
name = "row-stationary"
title = "Rows that stay"
precision = "int16"
value_bytes = 2
room = "{room}"
[prices.mac]
pj = 0.25
source = "a table of actions"
evidence = "simulated"
[memory.dram]
read_pj_per_byte = "8 pJ/bit"
write_pj_per_byte = "8 pJ/bit"
source = "a table of actions"
evidence = "simulated"
[memory.buffer]
read_pj_per_byte = 2.0
write_pj_per_byte = 1.5
capacity_bytes = "128 KiB"
source = "a table of actions"
evidence = "simulated"
[placement]
weights = ["buffer", "dram"]
activations = ["buffer", "dram"]
"""


@pytest.fixture
def priced(command: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Priced:
    """Prices a table; returns the row of its total."""
    monkeypatch.chdir(tmp_path)

    def price(text: str, hw: str = "45nm", *words: str) -> dict[str, str]:
        Path("counts.csv").write_text(text, encoding="utf-8")
        command("price", "counts.csv", "--hw", hw, "--out", "priced", "--force", *words)
        with Path("priced/energy.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))[-1]

    return price


def test_a_total_is_not_added_to_what_it_sums(priced: Priced) -> None:
    # 300 MACs x 4.6 pJ + 50 ACs x 0.9 pJ, once
    row = priced("layer,mac,ac\nconv,100,0\nfc,200,50\nTOTAL,300,50\n")
    assert float(row["compute_pj"]) == pytest.approx(300 * 4.6 + 50 * 0.9)


def test_modules_above_others_are_not_added_to_them(priced: Priced) -> None:
    # The whole says 1,000, of which a block says 600, of which its parts say 200 and 400.
    row = priced("layer,mac\n,1000\nb,600\nb.0,200\nb.1,400\n")
    assert float(row["compute_pj"]) == pytest.approx(1000 * 4.6)


@pytest.mark.parametrize("width", ["", "2"])
def test_bytes_are_bytes_whatever_the_width_of_values(width: str, priced: Priced) -> None:
    # 500,000 x 0.25 pJ + 1,000,000 bytes x 64 pJ of DRAM, since the weights do not fit into the
    # buffer, + 3,000 x 2 pJ + 1,000 x 1.5 pJ of the buffer
    columns = LAYER | ({"value_bytes": width} if width else {})
    Path("chip.toml").write_text(CHIP.format(room="fixed-order"), encoding="utf-8")
    table = f"{','.join(columns)}\n{','.join(map(str, columns.values()))}\n"
    row = priced(table, "chip.toml")
    assert float(row["energy_pj"]) == pytest.approx(125_000 + 64_000_000 + 6_000 + 1_500)


def test_bytes_are_read_from_where_they_fit_as_a_whole_unless_told_otherwise(
    priced: Priced, command: Callable[..., str]
) -> None:
    # Neither the table nor the profile says that a part of the weights stays in the buffer.
    said = CHIP.replace('room = "{room}"\n', "")
    assert "room" not in said
    Path("chip.toml").write_text(said.format(), encoding="utf-8")
    table = f"{','.join(LAYER)}\n{','.join(map(str, LAYER.values()))}\n"
    row = priced(table, "chip.toml")
    assert float(row["weights_pj"]) == pytest.approx(64_000_000)
    said = command("price", "counts.csv", "--hw", "chip.toml", "--out", "priced", "--force")
    assert "so each is read from where it fits as a whole; --room by-need" in " ".join(said.split())
    # By need, the activations (4,000 bytes) have room, and 131,072 bytes less 4,000 of the weights:
    # these are read from the buffer, the others from DRAM.
    kept = 131_072 - 4_000
    by_need = pytest.approx(kept * 2 + (1_000_000 - kept) * 64)
    assert float(priced(table, "chip.toml", "--room", "by-need")["weights_pj"]) == by_need
    Path("chip.toml").write_text(CHIP.format(room="by-need"), encoding="utf-8")
    assert float(priced(table, "chip.toml")["weights_pj"]) == by_need


@pytest.mark.parametrize(
    ("macs", "acs", "verdict"),
    [
        # 4.6 pJ x 0.25 G + 0.9 pJ x 1.5 G = 1.15 + 1.35 mJ, as printed
        ("0.25e9", "1.5e9", "consistent"),
        # The other way round it would be 4.6 x 1.5 + 0.9 x 0.25 = 7.125 mJ
        ("1.5e9", "0.25e9", "7.125 mJ"),
    ],
)
def test_a_claim_whose_counts_are_swapped_is_flagged(
    macs: str,
    acs: str,
    verdict: str,
    command: Callable[..., str],
    tmp_path: Path,
) -> None:
    claims = tmp_path / "claims.csv"
    claims.write_text(
        f"model,snn_macs,snn_ops,snn_energy_mj\nsew,{macs},{acs},2.5\n", encoding="utf-8"
    )
    assert verdict in command("check", claims)
