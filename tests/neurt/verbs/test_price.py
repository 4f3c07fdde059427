from __future__ import annotations

import csv
import json
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
        assert main(["price", "counts.csv", *flags, "--force"]) == 0
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


@pytest.fixture
def warm_chip(tmp_path: Path) -> str:
    """Draws 2 W."""
    chip = tmp_path / "chip.toml"
    chip.write_text(
        'extends = "45nm"\n[static_power]\nwatts = 2\nsource = "a bench"\nevidence = "measured"\n',
        encoding="utf-8",
    )
    return str(chip)


def test_static_energy_of_a_run_of_several_phases(
    price: Price, warm_chip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = price("--hw", warm_chip)
    assert "static energy" not in capsys.readouterr().out
    warm = price("--hw", warm_chip, "--latency-s", "ssa=1e-9")
    # 2 W x 1 ns = 2,000 pJ once, not for each phase
    assert total(warm, "ssa") - total(plain, "ssa") == pytest.approx(2000, rel=1e-6)
    assert total(warm, "asa") == total(plain, "asa")
    words = "static energy of asa is unknown, as --latency-s gives ssa alone"
    assert words in capsys.readouterr().out.replace("\n", " ")
    price("--hw", warm_chip, "--latency-s", "ssa=1e-9,asa=1e-9")
    assert "is unknown" not in capsys.readouterr().out


def test_a_latency_of_a_variant_that_is_not_there_is_refused(
    price: Price, warm_chip: str, counts: list[Counts], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("counts.csv").write_text(to_csv(counts[:1]), encoding="utf-8")
    assert main(["price", "counts.csv", "--hw", warm_chip, "--latency-s", "ssa=1"]) == 1
    assert "have no such variant (they have: asa)" in capsys.readouterr().err


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


def foreign(text: str) -> None:
    Path("counts.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("flag", "file"), [("bill", "energy.csv"), ("lemaire", "lemaire.csv")])
def test_a_bill_is_not_replaced_unasked(
    price: Price, capsys: pytest.CaptureFixture[str], flag: str, file: str
) -> None:
    words = ["price", "counts.csv", "--hw", "45nm-int32", "--accounting", flag]
    Path(file).write_text("mine", encoding="utf-8")
    assert main(words) == 1
    assert f"output directory '.' already holds a bill ({file}); choose" in capsys.readouterr().err
    assert Path(file).read_text(encoding="utf-8") == "mine"
    assert main([*words, "--out", "elsewhere"]) == 0
    assert main([*words, "--force"]) == 0
    assert Path(file).read_bytes() == Path("elsewhere", file).read_bytes()


@pytest.mark.usefixtures("price")
def test_what_was_understood_is_said_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    foreign("Layer,mac,remark\nconv,1000,0\nTOTAL,1000,True\n")
    assert main(["price", "counts.csv", "--hw", "45nm", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["notes"] == [
        "counts 'counts.csv': columns read under another name: 'Layer' is layer",
        "counts 'counts.csv': columns that are not used: remark",
        "counts 'counts.csv': rows that are sums of others, left out: TOTAL (1 row)",
    ]
    for note in found["notes"]:
        assert note in said.err
    # 1,000 x 4.6 pJ, in the row and in the total
    assert [row["compute_pj"] for row in found["energy"]] == [4600.0, 4600.0]


@pytest.mark.usefixtures("price")
def test_json_keeps_what_is_text_and_what_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    foreign("layer,mac,kind,block,model\n0,1000,True,1e3,7\n")
    assert main(["price", "counts.csv", "--hw", "45nm", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["energy"][0]
    assert [row[key] for key in ("layer", "block", "model", "unpriced")] == ["0", "1e3", "7", ""]
    assert (row["compute_pj"], row["static_pj"]) == (4600.0, None)


@pytest.mark.usefixtures("price")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "layer,mac,phase\na,1,prefill\nb,2,decode\n",
            "the phases 'prefill' and 'decode' of variant '' have different layers",
        ),
        ("layer,mac\na,1e308\n", "line 2, column 'mac' (= '1e308') must be at most 1e30"),
        (f"layer,mac\na,1{'0' * 400}\n", "line 2, column 'mac'"),
    ],
)
def test_a_table_that_cannot_be_priced_is_one_line(
    capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    foreign(text)
    assert main(["price", "counts.csv", "--hw", "45nm"]) == 1
    assert says in capsys.readouterr().err
    assert not Path("energy.csv").exists()


@pytest.mark.usefixtures("price")
def test_a_layer_without_any_price_is_empty_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    foreign("layer,mac,exp\nfc,1000,0\nsoftmax,0,10\n")
    assert main(["price", "counts.csv", "--hw", "45nm", "--json"]) == 0
    fc, softmax, total = json.loads(capsys.readouterr().out)["energy"]
    # an exponential has no price on 45nm
    assert (softmax["scalar_pj"], softmax["energy_pj"], softmax["unpriced"]) == (None, None, "exp")
    # 1,000 MACs x 4.6 pJ, and 1,000 / 2,048 fetches of 4 bytes at 1.25 pJ
    energy_pj = 4600 + 1000 / 2048 * 5
    assert (fc["scalar_pj"], fc["energy_pj"]) == (0.0, energy_pj)
    assert (total["scalar_pj"], total["energy_pj"], total["unpriced"]) == (None, energy_pj, "exp")


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by another path"])
def test_the_table_that_is_read_is_never_replaced(
    linked: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, text = tmp_path / "energy.csv", "layer,mac\na,5\n"
    table.write_text(text, encoding="utf-8")
    read = table
    if linked:
        read = tmp_path / "other.csv"
        read.symlink_to(table)
    assert main(["price", str(read), "--hw", "45nm", "--out", str(tmp_path), "--force"]) == 1
    assert "is read, and what is written would replace it" in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("price")
def test_the_sources_of_the_prices_stand_beside_a_table_in_a_directory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["price", "counts.csv", "--hw", "45nm"]) == 0
    assert not Path("sources.bib").exists()  # a directory of all kinds of files
    assert main(["price", "counts.csv", "--hw", "loihi", "--out", "new"]) == 0
    assert "Written to new/energy.csv, with the sources" in capsys.readouterr().out
    written = Path("new/sources.bib").read_text(encoding="utf-8")
    assert "davies2018" in written
    assert "horowitz2014" not in written

    lemaire = ["price", "counts.csv", "--hw", "45nm-int32", "--accounting", "lemaire"]
    assert main([*lemaire, "--out", "new"]) == 1
    assert "holds a result's sources (sources.bib); choose another" in capsys.readouterr().err
    assert Path("new/sources.bib").read_text(encoding="utf-8") == written
    assert main([*lemaire, "--out", "other"]) == 0
    assert "lemaire2022" in Path("other/sources.bib").read_text(encoding="utf-8")

    two = ["price", "counts.csv", "--asa-hw", "45nm", "--ssa-hw", "loihi", "--out", "two"]
    assert main(two) == 0
    both = Path("two/sources.bib").read_text(encoding="utf-8")
    assert "davies2018" in both
    assert "horowitz2014" in both
