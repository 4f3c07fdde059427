from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import refused

from energy import Counts, CountsError, estimate, saving
from energy.compare.sensitivity import SensitivityError, sensitivity
from energy.counts.file import to_csv
from hwmodels import Dataflow, ProfileError, load_profile
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import SpikingConfig
from reports.kit.files import OutputError
from reports.run.record import RunError

Ask = Callable[..., str]

SHAPE = Shape(layers=2, width=8, heads=2, inner=32, vocabulary=50, positions=16)


def planned() -> tuple[Counts, Counts]:
    asa = plan_asa(SHAPE, prefill(4), model="tiny", weights="none(closed form)")
    ssa = plan_ssa(
        SHAPE, prefill(4), SpikingConfig(), 0.2, model="tiny", weights="none(closed form)"
    )
    return asa, ssa


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "counts.csv").write_text(to_csv(planned()), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(tmp_path: Path, command: Ask) -> Path:
    sizes = {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 50, "n_positions": 16}
    (tmp_path / "model").mkdir()
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({"model_type": "gpt2", **sizes}), encoding="utf-8")
    flags = ("--hw", "45nm", "--seq-len", "4", "--pictures", "none", "--no-page")
    command("plan", "--model", config, *flags, "--out", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("widths", ["", "accumulators=16,kv=8"])
def test_a_run_is_billed_at_its_own_widths(
    run: Path, tmp_path: Path, command: Ask, widths: str
) -> None:
    config = tmp_path / "model" / "config.json"
    said = json.loads(config.read_text(encoding="utf-8")) | {"dtype": "bfloat16"}
    config.write_text(json.dumps(said), encoding="utf-8")
    flags = ["--hw", "45nm", "--pictures", "none", "--out"]
    given = ["--widths", widths] if widths else []
    out, plan = tmp_path / "out", tmp_path / "bf16"
    command("plan", "--model", config.parent, "--seq-len", "4", "--no-page", *given, *flags, plan)
    stated = json.loads((plan / "run.json").read_text("utf-8"))["hardware"]["45nm"]["model"]

    def savings(*words: str | Path) -> dict[str, float]:
        command("sensitivity", *words, "--samples", "5", "--force", *flags, out)
        found = (row for row in rows(out / "sensitivity.csv") if row["block"] == "total")
        return {row["accounting"]: float(row["saving"]) for row in found}

    for accounting, found in savings(plan).items():
        assert found == pytest.approx(stated[accounting]["saving"], rel=1e-9)
    # A table says nothing of activations and cache, which are FP32 then; a flag of now is nearer
    # than those of the run.
    assert savings(plan / "counts.csv")["fused"] != pytest.approx(stated["fused"]["saving"])
    assert savings(plan, "--widths", "kv=4,accumulators=32") != savings(plan)
    kv = "KV cache 8 bits (flag)" if widths else "KV cache 16 bits (checkpoint)"
    words = f"widths on 45nm: weights 16 bits (checkpoint), activations 16 bits (checkpoint), {kv}"
    for ask in (("sensitivity", plan, "--samples", "5"), ("breakeven", "--run", plan)):
        assert words in " ".join(command(*ask, "--force", *flags, out).split())
    found = breakeven_saving(out / "breakeven.csv")
    assert found == pytest.approx(stated["fused"]["saving"], rel=1e-9)


def breakeven_saving(path: Path) -> float:
    """Of the whole model with the events of the run."""
    [row] = (x for x in rows(path) if (x["part"], x["accounting"]) == ("model", "fused"))
    return 1 - float(row["busy_pj"]) / float(row["asa_pj"])


@pytest.mark.parametrize("words", ["sensitivity {}", "breakeven --run {}", "report {}"])
def test_a_run_that_was_edited_is_read_by_no_command(
    run: Path, tmp_path: Path, command: Ask, words: str
) -> None:
    ask = (*words.format(run).split(), "--pictures", "none", "--out", tmp_path / "out")
    ask += () if "report" in words else ("--hw", "45nm")
    ask += ("--samples", "50") if "sensitivity" in words else ()
    command(*ask)
    counts = run / "counts.csv"
    written = counts.read_text(encoding="utf-8")
    # One layer is called otherwise: no sum changes, the file does.
    counts.write_text(written.replace("transformer.h.0.mlp", "transformer.h.7.mlp"), "utf-8")
    assert "counts.csv is not the file that run.json describes" in refused(
        RunError, command, *ask, "--force"
    )
    counts.write_text(written, encoding="utf-8")
    (run / "run.json").unlink()  # which comes last
    assert "has no run.json" in refused(RunError, command, *ask, "--force")


@pytest.mark.parametrize("words", ["sensitivity {} --samples 5", "breakeven --run {}"])
def test_a_run_of_one_side_is_said_to_be_one(
    run: Path, tmp_path: Path, command: Ask, words: str
) -> None:
    flags = ("--hw", "45nm", "--pictures", "none", "--out")
    model = tmp_path / "model"
    command("plan", "--model", model, "--seq-len", "4", "--analog", *flags, tmp_path / "one")
    said = refused(RunError, command, *words.format(tmp_path / "one").split(), *flags, run / "x")
    assert "has one side alone (count.json)" in said
    assert "`plan` without --analog" in said


@pytest.fixture
def asked(command: Ask) -> Ask:
    def ask(*words: str | Path) -> str:
        return command("sensitivity", *words, "--samples", "50")

    return ask


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("sketched")
def test_the_files_of_a_table_are_put_beside_it(directory: Path, asked: Ask) -> None:
    said = asked(directory / "counts.csv", "--hw", "45nm", "--hw", "loihi", "--seed", "3")
    assert said.endswith(
        f"Written to {directory}: sensitivity.csv, tornado_45nm.png, tornado_45nm.svg\n"
    )
    assert "50 samples, seed 3" in said
    found = rows(directory / "sensitivity.csv")
    assert {row["hw"] for row in found} == {"45nm", "loihi"}
    assert {(row["model"], row["weights"], row["seed"]) for row in found} == {
        ("tiny", "none(closed form)", "3")
    }
    profile = load_profile("45nm")
    expected = saving(*(estimate(side, profile) for side in planned()), "full").saving
    row = next(r for r in found if (r["block"], r["accounting"]) == ("total", "fused"))
    assert float(row["saving"]) == expected


@pytest.mark.usefixtures("sketched")
def test_a_run_is_read_and_block_dataflow_and_directory_are_those_asked_for(
    run: Path, tmp_path: Path, asked: Ask
) -> None:
    out = tmp_path / "out"
    flags = ("--block", "model", "--dataflow", "stepwise", "--out", out)
    said = asked(run, "--hw", "45nm", *flags)
    assert "model, all priced, fused: what moves the saving" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "sensitivity.csv",
        "tornado_45nm.png",
        "tornado_45nm.svg",
    ]
    assert {row["dataflow"] for row in rows(out / "sensitivity.csv")} == {"stepwise"}


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        (slice(0, 1), "have no variant 'ssa' (they have: asa); a saving compares"),
        (slice(1, 2), "have no variant 'asa' (they have: ssa)"),
    ],
)
def test_a_variant_that_is_missing_is_named(
    directory: Path, variants: slice, said: str, asked: Ask
) -> None:
    table = directory / "one.csv"
    table.write_text(to_csv(planned()[variants]), encoding="utf-8")
    with pytest.raises(CountsError) as caught:
        asked(table, "--hw", "45nm")
    assert said in str(caught.value)


def test_what_is_wrong_is_said_before_a_directory_is_made(
    directory: Path, tmp_path: Path, asked: Ask
) -> None:
    out = tmp_path / "new"
    with pytest.raises(ProfileError):
        asked(directory / "counts.csv", "--hw", "no-such-chip", "--out", out)
    with pytest.raises(CountsError, match=r"counts.csv' does not exist"):
        asked(tmp_path / "elsewhere" / "counts.csv", "--hw", "45nm", "--out", out)
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("variant,layer,mac,ac\nasa,a,5,0\nssa,a,0,5\n", encoding="utf-8")
    with pytest.raises(SensitivityError, match="no layer belongs to the block 'attention'"):
        asked(foreign, "--hw", "45nm", "--block", "attention", "--out", out)
    assert not out.exists()


def test_counts_from_elsewhere_have_a_saving_of_the_model(tmp_path: Path, asked: Ask) -> None:
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("variant,layer,mac,ac\nasa,a,100,0\nssa,a,0,300\n", encoding="utf-8")
    asked(foreign, "--hw", "45nm")  # there is no attention to take apart
    found = rows(tmp_path / "sensitivity.csv")
    assert {row["block"] for row in found} == {"total"}
    assert float(found[0]["saving"]) == pytest.approx(1 - 3 * 0.9 / 4.6)


@pytest.mark.parametrize("flow", Dataflow)
def test_the_constants_make_up_the_bill_under_each_dataflow(flow: Dataflow) -> None:
    asa, ssa = (estimate(side, load_profile("45nm"), dataflow=flow) for side in planned())
    for block in ("attention", None):
        found = sensitivity(asa, ssa, block=block, samples=1)
        for side, bill in (("asa_pj", asa), ("ssa_pj", ssa)):
            parts = math.fsum(getattr(swing, side) for swing in found.swings)
            assert parts == pytest.approx(bill.energy_pj(block=block), rel=1e-12)


def test_the_constants_make_up_the_bill_of_two_phases() -> None:
    from neurt.closed_form.passes import decode

    profile = load_profile("45nm")
    bills = [
        estimate(plan_asa(SHAPE, prefill(4)), profile)
        + estimate(plan_asa(SHAPE, decode(5)), profile),
        estimate(plan_ssa(SHAPE, prefill(4), SpikingConfig(), 0.2), profile)
        + estimate(plan_ssa(SHAPE, decode(5), SpikingConfig(), 0.2), profile),
    ]
    found = sensitivity(*bills, samples=1)
    for side, bill in zip(("asa_pj", "ssa_pj"), bills, strict=True):
        parts = math.fsum(getattr(swing, side) for swing in found.swings)
        assert parts == pytest.approx(bill.energy_pj(), rel=1e-12)


def test_the_phases_of_a_request_are_priced_one_by_one(tmp_path: Path, asked: Ask) -> None:
    from neurt.closed_form.passes import decode

    static = 'static_power = { watts = 2.0, source = "s", evidence = "measured" }'
    (tmp_path / "mine.toml").write_text(f'name = "mine"\nextends = "45nm"\n{static}\n', "utf-8")
    profile = load_profile(tmp_path / "mine.toml")
    phases = [
        (plan_asa(SHAPE, what), plan_ssa(SHAPE, what, SpikingConfig(), 0.2))
        for what in (prefill(4), decode(5))
    ]
    table = tmp_path / "counts.csv"
    table.write_text(to_csv(side for pair in phases for side in pair), encoding="utf-8")
    asked(table, "--hw", str(tmp_path / "mine.toml"), "--latency", "asa=1", "--latency", "ssa=1")
    row = next(
        r
        for r in rows(tmp_path / "sensitivity.csv")
        if (r["block"], r["accounting"]) == ("attention", "fused")
    )
    asa, ssa = (
        math.fsum(estimate(side, profile).energy_pj(block="attention") for side in sides)
        for sides in zip(*phases, strict=True)
    )
    assert float(row["saving"]) == pytest.approx(1 - ssa / asa, rel=1e-12)
    assert row["phase"] == "request"


@pytest.mark.usefixtures("sketched")
def test_files_beside_a_run_are_not_replaced_unasked(run: Path, asked: Ask) -> None:
    asked(run, "--hw", "45nm")
    with pytest.raises(OutputError, match=r"already holds a sensitivity \(sensitivity.csv\)"):
        asked(run, "--hw", "45nm")
    asked(run, "--hw", "45nm", "--force")


@pytest.mark.usefixtures("sketched")
def test_what_was_left_out_of_a_table_is_said(tmp_path: Path, asked: Ask) -> None:
    foreign = tmp_path / "foreign.csv"
    rows = "asa,a,100,0\nasa,TOTAL,100,0\nssa,a,0,300\n"
    foreign.write_text(f"variant,layer,mac,ac\n{rows}", encoding="utf-8")
    assert "left out: TOTAL (1 row)." in asked(foreign, "--hw", "45nm", "--block", "model")
