from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from energy import Counts, LayerCount, estimate, saving
from energy.compare.quantised import w4a16, w8a8
from hwmodels import Dataflow, Op, load_profile
from reports import Run
from reports.kit.closeness import Closeness, Scored
from reports.quality.baselines import lines
from reports.quality.baselines_table import baselines_table
from reports.quality.curves import curves, curves_table, print_baselines
from reports.quality.evaluation import Evaluation, MeasuredBaseline, Quality
from reports.quality.write import write_quality

Make = Callable[..., Evaluation]


def zeros(counts: Counts, share: float) -> Counts:
    """A share of the MACs of each layer with weights has an input of zero."""

    def row(layer: LayerCount) -> LayerCount:
        macs, weights = (layer.tally.ops.get(op, 0) for op in (Op.MAC, Op.WEIGHT_READ))
        if not weights:
            return layer
        tally = layer.tally._replace(zero_macs=share * macs)
        needed = (1 - share) * macs  # each token needs as many weights as it executes MACs
        return replace(layer, tally=tally.seen((1 - share / 2) * weights, needed))

    return replace(counts, layers=tuple(map(row, counts.layers)))


@pytest.fixture
def compared(make_run: Callable[..., Run], evaluated: Make) -> Callable[..., Evaluation]:
    def build(*hw: str, kl_nats: float = 0.125) -> Evaluation:
        run = make_run(*hw or ("45nm",))
        found = evaluated(run)

        def measured(
            name: str, kl: float, counts: Counts, number: float | None = None
        ) -> MeasuredBaseline:
            kind = name.partition("=")[0].replace(" ", "-")
            return MeasuredBaseline(name, kind, number, Quality(100, 205.0, 35), 0.9, kl, counts)

        others = (
            measured("w8a8", 0.001, run.asa),
            measured("spiking w8", 0.13, run.ssa),
            measured("w4a16", 0.01, run.asa),
            measured("spiking w4", 0.14, run.ssa),
            measured("teal=0.25", 0.0625, zeros(run.asa, 0.25), 0.25),
            measured("teal=0.5", 0.25, zeros(run.asa, 0.5), 0.5),
            measured("twin=3", 0.5, run.asa, 3.0),
        )
        comparison = replace(found.comparison, baselines=others, kl_nats=kl_nats)
        at = {(name, it): load_profile(f"{name}-{it}") for name in hw for it in ("int8", "fp16")}
        at = at or {("45nm", it): load_profile(f"45nm-{it}") for it in ("int8", "fp16")}
        return replace(found, comparison=comparison, at=at)

    return build


def frame(evaluation: Evaluation) -> pd.DataFrame:
    return baselines_table(evaluation).to_frame().set_index("baseline")


def test_each_baseline_has_its_quality(compared: Make) -> None:
    found = frame(compared())
    assert list(found.index) == [
        *("analog", "w8a8", "spiking w8", "w4a16", "spiking w4"),
        *("teal=0.25", "teal=0.5", "twin=3", "spiking"),
    ]
    # e^2, e^2.05 and e^2.1.
    assert found.perplexity["analog"] == pytest.approx(math.exp(2))
    assert found.perplexity_change["teal=0.5"] == pytest.approx(math.expm1(0.05))
    assert found.perplexity_change["spiking"] == pytest.approx(math.expm1(0.1))
    assert list(found.kl_nats) == [0, 0.001, 0.13, 0.01, 0.14, 0.0625, 0.25, 0.5, 0.125]
    assert found.top1_agreement["analog"] == 1
    assert found.top1_agreement["w8a8"] == 0.9
    assert found.top1_agreement["spiking"] == 0.75


def test_how_sure_a_change_is_follows_from_the_windows(compared: Make) -> None:
    evaluation = compared()
    [first, *others] = evaluation.comparison.baselines
    # Two windows of 50 tokens that lose 1 and 4 nats: draws have both, or one of them twice.
    windows = tuple(Scored(50, 100.0, 100.0 + nats) for nats in (1.0, 4.0))
    sure = replace(first, closeness=Closeness(windows))
    comparison = replace(evaluation.comparison, baselines=(sure, *others))
    found = frame(replace(evaluation, comparison=comparison))
    assert found.perplexity_change_low["w8a8"] == pytest.approx(math.expm1(2 / 100))
    assert found.perplexity_change_high["w8a8"] == pytest.approx(math.expm1(8 / 100))
    assert math.isnan(found.perplexity_change_low["teal=0.5"])  # nobody kept its windows
    out = io.StringIO()
    console = Console(file=out, width=200, highlight=False)
    print_baselines(replace(evaluation, comparison=comparison), console)
    assert "+2.02 to +8.33" in out.getvalue()


def test_each_baseline_has_a_bill_of_its_own(compared: Make) -> None:
    evaluation = compared()
    found, asa = frame(evaluation), evaluation.comparison.asa
    fp32, int8, fp16 = (load_profile(f"45nm{it}") for it in ("", "-int8", "-fp16"))
    for name, bill in (
        ("analog", estimate(asa, fp32)),
        ("w8a8", estimate(*w8a8(asa, int8))),
        ("w4a16", estimate(*w4a16(asa, fp16))),
    ):
        for accounting in ("compute", "fused", "unfused"):
            pj = bill.energy_pj(accounting) / asa.tokens
            assert found[f"token_{accounting}_pj"][name] == pytest.approx(pj)
        assert found.precision[name] == bill.profile.precision
    # A quarter of the MACs of layers with weights is not executed, and all is fetched.
    linear = sum(x.tally.ops[Op.MAC] for x in asa.layers if x.tally.ops.get(Op.WEIGHT_READ))
    spared = found.token_compute_pj["analog"] - found.token_compute_pj["teal=0.25"]
    assert spared == pytest.approx(0.25 * linear * 4.6 / asa.tokens)


def test_a_machine_that_gathers_rows_fetches_what_any_token_needs(compared: Make) -> None:
    evaluation = compared()
    gathered = replace(evaluation, dataflow=Dataflow.GATHERED)
    bills = {
        (line.name, flow.dataflow): line.bill
        for flow in (evaluation, gathered)
        for line in lines(flow, flow.profiles[0])
    }

    def read(name: str, flow: Dataflow | None) -> float:
        bill = bills[name, flow]
        assert bill is not None
        return bill.counts.total(Op.WEIGHT_READ)

    whole = read("analog", None)
    assert read("analog", Dataflow.GATHERED) == read("teal=0.5", None) == whole
    assert read("teal=0.5", Dataflow.GATHERED) == pytest.approx(0.75 * whole)
    assert read("teal=0.25", Dataflow.GATHERED) == pytest.approx(0.875 * whole)


def test_a_saving_is_one_at_the_same_widths(compared: Make) -> None:
    evaluation = compared()
    found, ssa = frame(evaluation), evaluation.comparison.ssa
    int8 = load_profile("45nm-int8")
    ours, theirs = (estimate(*w8a8(x, int8)) for x in (ssa, evaluation.comparison.asa))
    assert found.model_saving_fused["w8a8"] == saving(theirs, ours, "fused").saving
    assert found.compared_with["w8a8"] == "spiking w8"
    assert found.compared_with["teal=0.5"] == "spiking"
    assert found.model_saving_fused[["spiking", "spiking w8", "spiking w4"]].isna().all()
    own = evaluation.estimates["45nm"]
    assert found.model_saving_unfused["analog"] == saving(*own, "unfused").saving


def test_bytes_of_weights_in_decode_are_those_of_the_rows_that_a_token_needs(
    compared: Make,
) -> None:
    evaluation = compared()
    ssa = evaluation.comparison.ssa
    names = {x.name for x in ssa.layers if x.tally.slots and x.tally.ops.get(Op.WEIGHT_READ)}

    def half(row: LayerCount) -> LayerCount:
        needed = ssa.tokens * row.tally.ops.get(Op.WEIGHT_READ, 0) / 2
        tally = row.tally.seen(active_weights=needed) if row.name in names else row.tally
        return replace(row, tally=tally)

    needed = replace(ssa, layers=tuple(map(half, ssa.layers)))
    evaluation = replace(evaluation, comparison=replace(evaluation.comparison, ssa=needed))
    found = frame(evaluation)
    weights = {row.name: row.tally.ops.get(Op.WEIGHT_READ, 0) for row in ssa.layers}
    whole = 4 * sum(weights.values())
    assert found.decode_weight_bytes["analog"] == whole
    assert found.decode_weight_bytes["teal=0.25"] == pytest.approx(0.75 * whole)
    ours = whole - 2 * sum(weights[name] for name in names)
    assert found.decode_weight_bytes["spiking"] == ours
    assert found.decode_weight_bytes_saving["analog"] == pytest.approx(1 - ours / whole)
    assert found.decode_weight_bytes["w4a16"] < 0.2 * whole


def test_without_int8_prices_the_row_says_so(compared: Make) -> None:
    found = frame(replace(compared(), at={}))
    assert found.note["w8a8"] == "no INT8 prices for 45nm"
    assert math.isnan(found.token_fused_pj["w8a8"])
    assert math.isnan(found.model_saving_fused["w8a8"])
    assert found.note["w4a16"] == "arithmetic of 45nm"


def test_at_equal_quality_the_cost_is_read_off_the_curve(compared: Make) -> None:
    evaluation = compared()
    [curve] = curves(evaluation)
    found = frame(evaluation)
    row = curves_table(evaluation).to_frame().iloc[0]
    # ln 0.125 is halfway from ln 0.0625 to ln 0.25.
    for accounting in ("compute", "fused", "unfused"):
        costs = found[f"token_{accounting}_pj"]
        theirs = (costs["teal=0.25"] + costs["teal=0.5"]) / 2
        assert row[f"model_saving_{accounting}"] == pytest.approx(1 - costs["spiking"] / theirs)
    costs = found.decode_weight_bytes
    theirs = (costs["teal=0.25"] + costs["teal=0.5"]) / 2
    assert row.decode_weight_bytes_saving == pytest.approx(1 - costs["spiking"] / theirs)
    assert (row.kind, row.points, row.note) == ("teal", 2, "")
    assert curve.reach == (0.0625, 0.25)


def test_beyond_the_curve_nothing_is_saved(compared: Make) -> None:
    row = curves_table(compared(kl_nats=0.3)).to_frame().iloc[0]
    assert row.note == "beyond its curve, 0.0625 to 0.25 nats"
    assert row[["model_saving_fused", "decode_weight_bytes_saving"]].isna().all()


def test_files_are_written_where_there_is_something_to_say(
    compared: Make, evaluated: Make, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    from reports.kit.pictures import Pictures

    def names(evaluation: Evaluation, out: Path) -> set[str]:
        return {path.name for path in write_quality(evaluation, out, pictures=Pictures.NONE)}

    both = {"quality_baselines.csv", "quality_curves.csv"}
    assert not both & names(evaluated(make_run()), tmp_path / "without")
    assert both <= names(compared(), tmp_path / "with")


def test_people_see_a_table_for_each_hardware_in_80_columns(compared: Make) -> None:
    out = io.StringIO()
    print_baselines(compared(), Console(file=out, width=80, highlight=False))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "teal=0.25" in text
    assert "+5.13 %" in text  # e^0.05 - 1
    assert lines(compared(), load_profile("45nm"))[-1].is_spiking
