from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from energy import Counts, estimate
from energy.counts.file import to_csv
from energy.literature.lemaire import VARIANTS, Costs
from energy.literature.lemaire_bill import lemaire
from hwmodels import Dataflow, load_profile
from neurt.cli import main
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import SpikingConfig

SHAPE = Shape(layers=1, width=8, heads=2, inner=16, vocabulary=11, positions=32)
Price = Callable[..., list[dict[str, str]]]


@pytest.fixture
def counts() -> list[Counts]:
    """A prefill and a decode step of both variants."""
    return [
        one
        for what in (prefill(6), decode(7))
        for one in (plan_asa(SHAPE, what), plan_ssa(SHAPE, what, SpikingConfig(), 0.25))
    ]


@pytest.fixture
def price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: list[Counts]) -> Price:
    """Runs the command on the counts, and returns the rows it wrote."""
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text(to_csv(counts), encoding="utf-8")

    def run(*flags: str, file: str = "energy.csv") -> list[dict[str, str]]:
        assert main(["price", "counts.csv", *flags]) == 0
        with Path(file).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    return run


def total(rows: list[dict[str, str]], variant: str) -> float:
    [found] = [r for r in rows if r["variant"] == variant and r["layer"] == "TOTAL"]
    return float(found["energy_pj"])


@pytest.mark.parametrize("flow", Dataflow)
def test_phases_are_priced_by_themselves_and_add(
    price: Price, counts: list[Counts], flow: Dataflow
) -> None:
    rows = price("--hw", "45nm", "--dataflow", str(flow))
    for variant in ("asa", "ssa"):
        phases = [one for one in counts if one.variant == variant]
        expected = sum(
            estimate(one, load_profile("45nm"), dataflow=flow).energy_pj() for one in phases
        )
        assert total(rows, variant) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("accounting", ["lemaire", "lemaire-printed"])
def test_the_accounting_of_lemaire(price: Price, counts: list[Counts], accounting: str) -> None:
    rows = price("--hw", "45nm-int32", "--accounting", accounting, file="lemaire.csv")
    for one in counts:
        bill = lemaire(one, Costs.of(load_profile("45nm-int32")), VARIANTS[accounting])
        found = [
            float(row["total_pj"])
            for row in rows
            if (row["variant"], row["phase"]) == (one.variant, one.phase) and row["total_pj"]
        ]
        assert sum(found) == pytest.approx(bill.energy_pj(), rel=1e-12)
        assert found


def test_lemaire_needs_an_addition_and_a_multiplication(
    price: Price, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["price", "counts.csv", "--hw", "truenorth", "--accounting", "lemaire"]) == 1
    assert "profile 'truenorth' has no price for 'add'" in capsys.readouterr().err


def test_static_energy_of_a_run_of_several_phases(price: Price, tmp_path: Path) -> None:
    chip = tmp_path / "chip.toml"
    chip.write_text(
        'extends = "45nm"\n[static_power]\nwatts = 2\nsource = "a bench"\nevidence = "measured"\n',
        encoding="utf-8",
    )
    plain, warm = price("--hw", str(chip)), price("--hw", str(chip), "--latency-s", "ssa=1e-9")
    # 2 W x 1 ns = 2,000 pJ once, not for each phase
    assert total(warm, "ssa") - total(plain, "ssa") == pytest.approx(2000, rel=1e-6)
    assert total(warm, "asa") == total(plain, "asa")


def test_counts_of_one_phase_are_priced_as_before(price: Price, counts: list[Counts]) -> None:
    Path("counts.csv").write_text(to_csv([replace(counts[0], model="x")]), encoding="utf-8")
    rows = price("--hw", "45nm")
    expected = estimate(counts[0], load_profile("45nm")).energy_pj()
    assert total(rows, "asa") == pytest.approx(expected, rel=1e-12)


def test_a_latency_without_static_power_changes_nothing_and_is_refused(
    price: Price, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["price", "counts.csv", "--hw", "45nm", "--latency-s", "asa=1"]) == 1
    assert "--latency-s has no effect here: '45nm' has no static power" in capsys.readouterr().err
