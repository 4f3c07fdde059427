from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from energy import Counts
from hwmodels import load_profile
from reports import Run
from reports.run.run import Phase
from reports.views.baselines import baseline_table, baselines

MakeRun = Callable[..., Run]


def with_zeros(counts: Counts, zero_macs: int) -> Counts:
    """The same, with so many zeros before each layer that multiplies."""
    layers = tuple(
        replace(x, tally=x.tally._replace(zero_macs=zero_macs if x.tally.dense_macs else None))
        for x in counts.layers
    )
    return replace(counts, layers=layers)


def test_every_baseline_has_each_block_in_each_accounting(make_run: MakeRun) -> None:
    run = make_run("45nm", "loihi")
    frame = baselines(run).to_frame()
    # 5 baselines x 3 blocks x 3 accountings on each hardware
    assert len(frame) == 90
    parts = frame[["block", "accounting"]].value_counts()
    assert set(parts) == {10}
    assert list(frame.hw.unique()) == ["45nm", "loihi"]


def test_the_same_precision_is_the_saving_of_the_run(make_run: MakeRun) -> None:
    run = make_run()
    frame = baselines(run).to_frame().set_index(["baseline", "block", "accounting"])
    asa, ssa = run.estimates["45nm"]
    for bound in ("fused", "unfused"):
        row = frame.loc[("same", "total", bound)]
        assert row.ann_pj == asa.energy_pj(bound)
        assert row.ssa_pj == ssa.energy_pj(bound)
    # Attention block: 2,560 MACs x 4.6 pJ against 2,048 ACs x 0.9 pJ, see test_table
    assert frame.loc[("same", "attention", "compute")].saving == pytest.approx(
        1 - 2048 * 0.9 / (2560 * 4.6)
    )
    assert frame.loc[("int8", "attention", "compute")].saving == pytest.approx(
        1 - 2048 * 0.1 / (2560 * 0.3)
    )


def test_the_twin_by_hand(make_run: MakeRun) -> None:
    run = make_run()
    frame = baselines(run).to_frame().set_index(["baseline", "block", "accounting"])
    row = frame.loc[("twin", "ffn", "compute")]
    # Two layers of 4 tokens x 8 x 32 x 2 = 2,048 MACs, all driven by events, 3 bits for T = 4:
    # 4,096 x (0.9 + 3.7 x 3 / 32) = 5,107.2 pJ against 2,048 ACs x 0.9 pJ
    assert row.ann_pj == pytest.approx(4096 * 1.246875)
    assert row.saving == pytest.approx(1 - 2048 * 0.9 / (4096 * 1.246875))
    assert row.activation_bits == "3"


def test_what_is_not_known_is_an_empty_cell(make_run: MakeRun) -> None:
    run = make_run("loihi")
    text = io.StringIO(baselines(run).to_csv())
    read = pd.read_csv(text, keep_default_na=False).set_index("baseline")
    sparse = read.loc["sparse"].iloc[0]
    assert list(sparse[["ann_precision", "activation_bits", "ann_pj", "saving"]]) == [""] * 4
    assert sparse.note == "zeros of the activations were not measured"
    assert set(read.loc["int8"].note) == {"no INT8 prices for loihi"}
    same = read.loc["same"].iloc[0]
    assert (same.ann_pj, same.saving, same.unpriced) == ("", "", "mac")


def test_the_file_says_which_network_it_is_about(make_run: MakeRun) -> None:
    run = make_run(weights="local(my-gpt2)")
    frame = baselines(run).to_frame()
    assert set(frame.model) == {"tiny"}
    assert set(frame.weights) == {"local(my-gpt2)"}
    assert set(frame.timesteps) == {4}


def test_measured_zeros_have_numbers(make_run: MakeRun) -> None:
    run = make_run()
    run = replace(run, asa=with_zeros(run.asa, 16))
    frame = baselines(run).to_frame().set_index(["baseline", "block", "accounting"])
    row = frame.loc[("sparse", "ffn", "compute")]
    # 4 layers x 16 of 4,096 MACs are skipped
    assert row.ann_pj == pytest.approx((4096 - 64) * 4.6)
    assert "zero input" in row.note


def test_mixed_precision_is_on_request_and_labelled(make_run: MakeRun) -> None:
    run = make_run()
    assert "mixed" not in set(baselines(run).to_frame().baseline)
    frame = baselines(replace(run, settings={"mixed": True})).to_frame().set_index("baseline")
    assert set(frame.loc["mixed"].note) == {"mixed precision, not comparable"}


def test_the_int8_prices_of_ones_own_chip_are_given_and_not_taken_from_a_namesake(
    make_run: MakeRun,
) -> None:
    run = make_run()
    mine = run.profiles[0].model_copy(update={"title": "my chip"})
    run = replace(run, profiles=(mine,))
    assert run.baselines["45nm"][3].note == "no INT8 prices for 45nm"
    small = load_profile("7nm-int8")
    given = replace(run, int8={"45nm": small}).baselines["45nm"][3]
    assert given.asa is not None
    assert given.asa.profile == small


def test_another_precision_of_the_catalogue_has_the_same_int8_prices(make_run: MakeRun) -> None:
    [*_, row, _] = make_run("45nm-fp16").baselines["45nm-fp16"]
    assert row.name == "int8"
    assert row.asa is not None
    assert row.asa.profile.name == "45nm-int8"


def test_a_request_is_the_sum_of_its_phases(make_run: MakeRun) -> None:
    one = make_run()
    phases = (
        Phase("prefill", one.asa, one.ssa),
        Phase("decode", replace(one.asa, phase="decode"), replace(one.ssa, phase="decode")),
    )
    run = replace(one, asa=one.asa + one.asa, ssa=one.ssa + one.ssa, request=phases)
    frame = baselines(run).to_frame()
    single = baselines(one).to_frame()
    # The same twice: twice the energy, and the same saving
    pd.testing.assert_series_equal(frame.ann_pj, 2 * single.ann_pj)
    pd.testing.assert_series_equal(frame.saving, single.saving)


def test_people_see_each_baseline_of_a_hardware(make_run: MakeRun) -> None:
    run = make_run("45nm", "loihi")
    rows = baseline_table(run, "45nm").cells()
    assert [row[0] for row in rows][:3] == ["FP32 ANN", "3-bit twin", "activation-sparse ANN"]
    # 1 - 2,048 x 0.9 / (2,560 x 4.6); nobody measured the zeros
    assert (rows[0][1], rows[2][1]) == ("84.35 %", "-")
    other = baseline_table(run, "loihi").cells()
    assert (other[0][1], other[3][1:]) == ("unpriced", [*["-"] * 5, "no INT8 prices for loihi"])
