"""Zones from prices, beside the minimum of what they are to spare."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels import load_profile
from neurt.cli import main
from neurt.families import Shape
from neurt.measure.objective import FINEST, TOUCHED, Prices, aim_of, prices_of, resolution_at
from neurt.measure.widths import StoredWidths
from neurt.requests.others import ConvertRequest
from neurt.requests.passes import ProfileRequest
from neurt.requests.sweep import SweepRequest
from neurt.spiking.config import SpikingConfig

ZONES: dict[str, Any] = {"form": "softmax", "code": "pow2", "dead_zone": "loss"}
FLAGS = ["--form", "softmax", "--code", "pow2", "--dead-zone", "loss"]
SMALL = Shape(layers=2, width=64, heads=4, inner=256, vocabulary=101)
#: Ten thousand times what the chip of `45nm` holds.
LARGE = Shape(layers=24, width=2048, heads=16, inner=8192)
PRICES = st.floats(1e-3, 1e4)


@given(PRICES, PRICES)
def test_both_zones_are_where_what_is_saved_is_worth_its_price(row: float, event: float) -> None:
    # Loss F x^2 / 2 with F = 2: a value x above the first zone buys its row and an event, and what
    # is left, r, above the second buys one event more. The factor is the root of both prices.
    zone = math.sqrt(event + row)
    second = zone * resolution_at(Prices(row, event), tokens=1)
    assert zone**2 == pytest.approx(row + event)
    assert second**2 == pytest.approx(event)
    assert 0 < second <= zone


@given(PRICES, PRICES, st.integers(1, 64))
def test_the_more_tokens_share_a_row_the_less_it_decides(
    row: float, event: float, tokens: int
) -> None:
    prices = Prices(row, event)
    one, more = resolution_at(prices, tokens), resolution_at(prices, tokens + 1)
    assert one <= more <= 1
    # A token alone spares a row if all others are silent there too.
    alone = row * (1 - TOUCHED) ** (tokens - 1)
    assert one**2 == pytest.approx(event / (event + alone))


def test_prices_are_those_of_where_the_weights_are() -> None:
    profile, stored = load_profile("45nm"), StoredWidths()
    spiking = SpikingConfig(**ZONES)
    small, large = (prices_of(shape, spiking, stored, profile) for shape in (SMALL, LARGE))
    assert small.event_pj == pytest.approx(large.event_pj)  # an adder is where it is
    assert large.weight_pj > 5 * small.weight_pj  # DRAM against SRAM
    narrow = prices_of(LARGE, spiking, StoredWidths(), _with_weights(8))
    assert narrow.weight_pj == pytest.approx(large.weight_pj / 4, rel=0.05)


def _with_weights(bits: int) -> Any:
    request = ProfileRequest(model="m", hw=("45nm",), widths={"weights": bits}, out=Path("m"))
    return request.profiles()[0]


def aimed(**asked: Any) -> Any:
    request = ConvertRequest(model="m", out=Path("m"), spiking=SpikingConfig(**ZONES), **asked)
    return aim_of(request, "local(m)", LARGE, StoredWidths())


def test_events_and_bytes_are_the_corners() -> None:
    assert aimed().spiking == SpikingConfig(**ZONES)
    assert aimed().facts == {}
    assert aimed(objective="events").spiking.resolution == 1
    assert aimed(objective="bytes").spiking.resolution == FINEST
    energy = aimed(objective="energy", objective_hw="45nm")
    assert FINEST / 4 < energy.spiking.resolution < 0.5
    found = energy.facts["objective_found"]
    assert found["resolution"] == energy.spiking.resolution
    prices = Prices(found["weight_pj"], found["event_pj"])
    assert resolution_at(prices, 1) == found["resolution"]


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        ({"phase": "decode", "batch": 3}, 3),
        ({"phase": "prefill", "seq_len": 7, "batch": 2}, 14),
        ({"prompt": 5, "generate": 3, "batch": 2}, 2),  # its last step decodes
        ({"phase": "prefill", "objective_tokens": 4}, 4),
    ],
)
def test_a_pass_of_profile_says_who_shares_a_fetch(asked: dict[str, Any], tokens: int) -> None:
    request = ProfileRequest(
        model="m",
        hw=("45nm",),
        out=Path("m"),
        spiking=SpikingConfig(**ZONES),
        objective="energy",
        **asked,
    )
    found = aim_of(request, "local(m)", LARGE, StoredWidths()).facts["objective_found"]
    assert isinstance(found, dict)
    assert found["tokens"] == tokens


def test_a_sweep_has_one_point_whatever_its_resolutions_were() -> None:
    lists: dict[str, Any] = {"forms": ("softmax",), "codes": ("pow2",), "dead_zones": ("loss",)}
    request = SweepRequest(model="m", timesteps=(4,), objective="bytes", **lists)
    request.check()
    assert [p.spiking.resolution for p in request.points()] == [0.3] * 4  # one per threshold
    assert {p.objective for p in request.points()} == {"bytes"}


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("convert", ["--objective", "energy"], "and no hardware is named; give --objective-hw"),
        ("convert", ["--objective", "bytes", "--resolution", "0.5"], "--objective decides it"),
        ("convert", ["--objective-hw", "45nm"], "only energy has prices; give --objective energy"),
        ("convert", ["--objective", "events", "--code", "sar"], "the code pow2 in softmax"),
        ("convert", ["--objective", "events", "--dead-zone", "output"], "know no loss; choose"),
        ("evaluate", ["--objective", "energy", "--hw", "45nm", "--hw", "7nm"], "names 45nm, 7nm"),
        ("sweep", ["--objective", "bytes"], "the code pow2 in softmax attention"),
        ("sweep", ["--objective", "bytes", "--resolutions", "0.5"], "--objective decides it"),
    ],
)
def test_what_cannot_be_aimed_is_one_line_of_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, flags: list[str], said: str
) -> None:
    # The last of the same flags would be an error of its own.
    own = [x for x in zip(FLAGS[::2], FLAGS[1::2], strict=True) if x[0] not in flags]
    words = [] if command == "sweep" else [word for pair in own for word in pair]
    out = ["--out", str(tmp_path / "out")]
    assert main([command, "--model", "gpt2-nano", *words, *out, *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--weights", "random", "--objective", "bytes"], "weights that are random(seed=0)"),
        (["--objective", "energy", "--objective-hw", "loihi"], "'loihi' has no price of shift_ac"),
        (["--objective", "energy", "--objective-hw", "nowhere"], "nowhere"),
    ],
)
def test_what_nobody_knows_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: list[str], said: str
) -> None:
    words = ["convert", "--model", "gpt2-nano", *FLAGS, "--out", str(tmp_path / "out"), *flags]
    assert main(words) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("neurt-energy: ")
    assert said in error


def test_the_record_says_what_was_found(tmp_path: Path) -> None:
    words = ["convert", "--model", "gpt2-nano", *FLAGS, "--out", str(tmp_path / "out")]
    assert main([*words, "--objective", "energy", "--objective-hw", "45nm"]) == 0
    record = json.loads((tmp_path / "out" / "convert.json").read_text())
    found, stored = record["objective_found"], record["spiking"]["resolution"]
    assert found["resolution"] == stored
    # All of it is in SRAM: 12.5 pJ per byte, 4 bytes.
    assert found["weight_pj"] == 50
    event = found["event_pj"]
    assert stored == pytest.approx(math.sqrt(event / (event + 50)))
