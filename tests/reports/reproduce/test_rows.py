# Of closed forms at assumed spike rates, so each number follows from a few others.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from energy import saving
from energy.bill.layer import ACCOUNTINGS
from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.files import OutputError
from reports.reproduce.rows import Reproduction, Row, stands
from reports.reproduce.table import write_reproduction

LOW, HIGH = PUBLISHED_SAVING


Made = Callable[..., Reproduction]


@pytest.fixture
def made(make_reproduction: Made) -> Made:
    return partial(make_reproduction, models=("gpt2-nano",), timesteps=(4,))


def row(found: Reproduction, **chosen: Any) -> Row:
    wanted = {"accounting": "compute", "projections": "with", "hw": "45nm"} | chosen
    [one] = [x for x in found.rows if wanted.items() <= x.items()]
    return one


def test_the_table_is_the_golden_one(made: Made, golden: Callable[[str, str], None]) -> None:
    golden("reproduce.csv", made(models=("gpt2-nano", "gpt2-small")).table.to_csv())


# events per MAC = (1 - saving) MAC / AC: (1 - 0.6471) 4.6 / 0.9 = 1.8037 and so on
@pytest.mark.parametrize(
    ("hw", "mac", "ac", "at_low", "at_high"),
    [
        ("45nm", 4.6, 0.9, 1.804, 0.752),
        ("45nm-fp16", 2.0, 0.9, 0.784, 0.327),
        ("45nm-int8", 0.3, 0.1, 1.059, 0.442),
    ],
)
@pytest.mark.parametrize("projections", ["with", "without"])
@pytest.mark.parametrize("timesteps", [2, 8])
def test_the_ends_of_the_range_imply_events_and_rates(
    made: Made,
    hw: str,
    mac: float,
    ac: float,
    at_low: float,
    at_high: float,
    projections: str,
    timesteps: int,
) -> None:
    one = row(made(timesteps=(timesteps,)), hw=hw, projections=projections)
    for end, share, printed in (("low", LOW, at_low), ("high", HIGH, at_high)):
        events = one[f"events_per_mac_at_{end}"]
        assert events == pytest.approx((1 - share) * mac / ac, rel=1e-9)
        assert events == pytest.approx(printed, abs=5e-4)
        assert one[f"spike_rate_at_{end}"] == pytest.approx(events / timesteps, rel=1e-9)


@pytest.mark.parametrize("form", ["spikformer", "softmax"])
@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_a_model_with_the_implied_rate_saves_the_published_share(
    made: Made, form: str, accounting: str
) -> None:
    how = {"forms": (form,), "timesteps": (2,), "hw": ("45nm",), "models": ("gpt2-medium",)}
    implied = row(made(**how), accounting=accounting)["spike_rate_at_low"]
    if implied is None:
        # Silent neurons alone cost more than 35.29 % of the analog block: nothing can be sent.
        silent = row(made(0.0, **how), accounting=accounting)
        assert accounting != "compute"
        assert silent["saving"] < LOW
        return
    # The rate is rounded to whole spikes in each layer.
    found = row(made(implied, **how), accounting=accounting)
    assert found["saving"] == pytest.approx(LOW, abs=1e-4)
    assert found["spike_rate"] == pytest.approx(implied, rel=1e-3)


def test_streams_of_softmax_attention_imply_fewer_spikes_per_slot(made: Made) -> None:
    # Without projections and with all four operands coded, an event of each side meets the other:
    # as many events per MAC, of about twice the slots.
    how = {"forms": ("softmax",), "hw": ("45nm",)}
    stored = row(made(**how), projections="without")
    streamed = row(made(**how, key_values=("streamed",)), projections="without")
    assert (stored["streams"], streamed["streams"]) == ("Q,A", "Q,A,K,V")
    assert streamed["events_per_mac_at_low"] == pytest.approx(stored["events_per_mac_at_low"])
    assert streamed["spike_rate_at_low"] == pytest.approx(stored["spike_rate_at_low"] / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("share", "where"),
    [(0.6470, "below"), (LOW, "inside"), (0.7, "inside"), (HIGH, "inside"), (0.8529, "above")],
)
def test_a_saving_stands_below_inside_or_above(share: float, where: str) -> None:
    assert stands(share) == where
    assert stands(None) == ""


@pytest.mark.parametrize(
    ("rate", "where"),
    # at T = 4 and 45 nm the range is 0.188 to 0.451 spikes per slot
    [(0.1, "above"), (0.3, "inside"), (0.5, "below")],
)
def test_rows_say_where_they_stand(made: Made, rate: float, where: str) -> None:
    assert row(made(rate))["stands"] == where


def test_the_block_is_the_block_of_the_other_tables(made: Made) -> None:
    found = made()
    asa, ssa = found.measured[0].run.estimates["45nm"]
    for accounting in ACCOUNTINGS:
        one, other = (
            row(found, accounting=accounting),
            saving(asa, ssa, accounting, block="attention"),
        )
        assert (one["asa_pj"], one["ssa_pj"]) == (other.asa_pj, other.ssa_pj)
        assert one["model_saving"] == saving(asa, ssa, accounting).saving


def test_products_alone_are_all_pairs_times_the_width_twice(made: Made) -> None:
    # 4 layers x 2 x 32^2 x 128 MACs x 4.6 pJ; causal: 32 x 33 pairs
    full = row(made(), projections="without")
    assert full["asa_pj"] == pytest.approx(4 * 2 * 32**2 * 128 * 4.6, rel=1e-12)
    causal = row(made(attention=("causal",)), projections="without")
    assert causal["attention"] == "causal"
    assert causal["asa_pj"] == pytest.approx(4 * 32 * 33 * 128 * 4.6, rel=1e-12)


def test_baselines_stand_beside(made: Made) -> None:
    one = row(made())
    # b = ceil(log2(4 + 1)) = 3; INT8: 0.3 of 4.6 pJ on the analog side
    assert one["twin_bits"] == 3
    assert one["saving_vs_int8"] == pytest.approx(1 - one["ssa_pj"] / (one["asa_pj"] * 0.3 / 4.6))
    assert one["saving_vs_twin"] < one["saving"]
    int8 = row(made(), hw="45nm-int8")
    assert int8["saving_vs_int8"] == int8["saving"]


def test_without_a_price_there_is_no_number(made: Made) -> None:
    one = row(made(hw=("loihi",)), hw="loihi")
    for name in ("asa_pj", "saving", "events_per_mac_at_low", "spike_rate_at_high"):
        assert one[name] is None
    assert (one["stands"], one["unpriced"]) == ("", "mac")
    assert one["events_per_mac"] == pytest.approx(1.0, rel=1e-3)  # 4 x 0.25


def test_a_control_without_events_has_a_saving_and_no_rate(made: Made) -> None:
    one = row(made(forms=("softmax",), codes=("exact",)))
    # analog values in each of 4 steps
    assert one["saving"] == pytest.approx(-3.0)
    for name in ("events_per_mac", "spike_rate", "spike_rate_at_low"):
        assert one[name] is None


def test_files_are_written_the_same_each_time(made: Made, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        files = write_reproduction(made(hw=("45nm",)), tmp_path)
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    names = [f"reproduce.{x}" for x in ("csv", "md", "png", "svg", "tex")]
    assert sorted(contents[0]) == [*names, "sources.bib"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(contents[0])


def test_a_directory_that_cannot_be_written_is_said(made: Made, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="choose another --out"):
        write_reproduction(made(hw=("45nm",)), tmp_path / "out")


def test_what_holds_for_all_is_said_once(made: Made) -> None:
    found = made()
    assert found.facts == "prefill, 32 tokens, batch 1"
    run = replace(found.measured[0].run.asa, tokens=4096, batch=2)
    one = replace(found.measured[0], run=replace(found.measured[0].run, asa=run))
    assert Reproduction((one,)).facts == "prefill, 4,096 tokens, batch 2"
