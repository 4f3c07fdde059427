from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hwmodels import HardwareProfile, Op, catalog, load_profile, profile_names
from reports.hardware import print_profile, print_profiles

BUILTIN = (
    "45nm",
    "45nm-fp16",
    "45nm-int8",
    "kerasspiking-arm",
    "kerasspiking-cpu",
    "kerasspiking-gpu",
    "loihi",
    "truenorth",
)


def listed() -> dict[str, list[str]]:
    # The cells of the list, by the name of the profile.
    out = io.StringIO()
    print_profiles(Console(file=out, width=400, highlight=False))
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in out.getvalue().splitlines()
        if line.startswith("│")
    ]
    return {row[0]: row for row in rows}


def shown(profile: HardwareProfile) -> str:
    out = io.StringIO()
    print_profile(profile, Console(file=out, width=600, highlight=False))
    return out.getvalue()


def test_every_profile_has_a_row() -> None:
    assert list(listed()) == profile_names()
    assert set(BUILTIN) <= set(listed())


def test_a_row_has_title_precision_three_prices_and_scope() -> None:
    rows = listed()
    assert rows["45nm"][1:] == [
        "45 nm digital CMOS, FP32 (Horowitz 2014)",
        "fp32",
        "4.6",
        "0.9",
        "7.3",
        "per_term",
    ]
    # No MAC on Loihi, and neurons are inside the all-in price of TrueNorth.
    assert rows["loihi"][3:6] == ["-", "23.6", "81"]
    assert rows["truenorth"][3:] == ["-", "26", "included", "all_in"]


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = tmp_path / "broken_chips-1.0.dist-info"
    info.mkdir()
    (tmp_path / "broken_chips.py").write_text("1 / 0\n", encoding="utf-8")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken-chips\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        "[neurt_energy.hardware]\nfragile = broken_chips:chip\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sources: Any = catalog._sources
    sources.cache_clear()
    yield
    sources.cache_clear()
    sys.modules.pop("broken_chips", None)


@pytest.mark.usefixtures("broken_plugin")
def test_a_plug_in_that_fails_is_named_and_the_others_are_listed() -> None:
    rows = listed()
    assert set(BUILTIN) < set(rows)
    assert "ZeroDivisionError" in rows["fragile"][1]
    assert rows["45nm"][3] == "4.6"


@pytest.mark.parametrize("name", BUILTIN)
def test_every_number_is_shown_with_its_evidence_and_source(name: str) -> None:
    profile = load_profile(name)
    text = shown(profile)
    assert f"{profile.name}: {profile.title}" in text
    for op, price in profile.prices.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"│ {op.value} ")]
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        note = f" ({price.note})" if price.note else ""
        assert cells == [op.value, f"{price.pj:g}", price.evidence.value, price.source + note]
    for level, memory in profile.memory.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"│ {level}, per byte")]
        assert f"{memory.read_pj_per_byte:g} / {memory.write_pj_per_byte:g}" in line
        assert memory.source in line
    for assumption in profile.assumptions:
        assert f"- {assumption}" in text
    for op, reason in profile.included.items():
        [line] = [line for line in text.splitlines() if line.endswith(f": {reason}")]
        assert op.value in line.removesuffix(f": {reason}").split(", ")


@pytest.mark.parametrize("name", BUILTIN)
def test_what_has_no_price_is_listed(name: str) -> None:
    profile = load_profile(name)
    unpriced = [op.value for op in Op if profile.energy_pj(op) is None]
    assert unpriced
    assert f"without a price: {', '.join(unpriced)}" in shown(profile)


def test_a_memory_level_lists_its_buffers() -> None:
    text = shown(load_profile("45nm"))
    assert "dram, per byte: weights, kv_cache" in text
    assert "sram_1mb, per byte: activations, spikes, state" in text


def test_static_power_and_node_are_shown_where_known() -> None:
    loihi = shown(load_profile("loihi"))
    assert "static power 0.104 W (unverified; 3.34 W over 32 chips" in loihi
    assert "14 nm, 1-9 bit weights, 1 bytes per value, per_term" in loihi
    assert "unknown node" in shown(load_profile("kerasspiking-gpu"))
    assert "static power" not in shown(load_profile("45nm"))


def test_square_brackets_in_a_citation_are_shown_as_they_are() -> None:
    price = {"pj": 1, "source": "[smith2020] table [i], [/tmp]", "evidence": "measured"}
    profile = HardwareProfile.model_validate(
        {
            "name": "mine",
            "title": "mine [draft]",
            "precision": "fp32",
            "value_bytes": 4,
            "prices": {"mac": price},
            "assumptions": ["as in [smith2020]"],
        }
    )
    text = shown(profile)
    assert "[smith2020] table [i], [/tmp]" in text
    assert "mine: mine [draft]" in text
    assert "- as in [smith2020]" in text
