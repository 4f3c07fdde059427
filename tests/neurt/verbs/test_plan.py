from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import reports.write
from energy import Counts
from energy.compare.drawn import MACHINES
from hwmodels import HardwareProfile
from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone")

GPT2 = {"model_type": "gpt2", "n_layer": 3, "n_head": 2, "n_embd": 32, "vocab_size": 50}


class FullError(Exception):
    pass


def test_the_table_is_printed_before_files_and_prices_each_network_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A plan of 1,000 layers waits for what is done here, and not for 50,000 rows of files.
    def full(*_: Any) -> None:
        raise FullError

    priced: list[tuple[Counts, HardwareProfile]] = []
    bills = importlib.import_module("energy.bill.estimate")  # its package has a function so named
    prepare = bills.prepare

    def counted(counts: Counts, profile: HardwareProfile, *how: Any) -> Any:
        priced.append((counts, profile))
        return prepare(counts, profile, *how)

    monkeypatch.setattr(reports.write, "write_tables", full)
    monkeypatch.setattr(bills, "prepare", counted)
    (tmp_path / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")
    with pytest.raises(FullError):
        main(["plan", "--model", "config.json", "--seq-len", "8", "--hw", "45nm", "--out", "out"])
    assert "saved on" in capsys.readouterr().out
    assert all(one not in priced[:i] for i, one in enumerate(priced))
    # At each of two bounds: both networks, on the machines of the interval too, the quantised twin
    # of the analog one, and both at INT8.
    assert Counter((counts.variant, machine.name) for counts, machine in priced) == {
        ("asa", "45nm"): 2 * (2 + MACHINES),
        ("ssa", "45nm"): 2 * (1 + MACHINES),
        ("asa", "45nm-int8"): 2,
        ("ssa", "45nm-int8"): 2,
    }
