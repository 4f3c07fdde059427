from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.compare.breakeven import Bound, BreakEven, Part, Verdict, break_even

PART = Part("fc", "layer", "ffn_up", "a layer", None, None)
LINE = BreakEven(PART, "full", 4, 10.0, 2.0, 18.0, 1.0, 4.0)  # crosses at (10 - 2) / 16 = 0.5

energies = st.floats(0, 1e12)


@pytest.mark.parametrize(
    ("mac_pj", "ac_pj", "rate"),
    [
        (4.6, 0.9, 1.2778),  # 45 nm FP32: 4.6 / (4 x 0.9)
        (0.23, 0.03, 1.9167),  # 45 nm INT8: 0.23 / (4 x 0.03)
    ],
)
def test_arithmetic_alone_breaks_even_at_mac_over_t_times_ac(
    mac_pj: float, ac_pj: float, rate: float
) -> None:
    # One MAC against T = 4 accumulates, if each slot holds an event.
    found = break_even(mac_pj, 0.0, 4 * ac_pj)
    assert found == pytest.approx(rate, abs=5e-5)
    line = BreakEven(PART, "compute", 4, mac_pj, 0.0, 4 * ac_pj, 1.0, 4.0)
    assert line.verdict is Verdict.ALWAYS
    assert line.events_per_mac == pytest.approx(mac_pj / ac_pj)


@pytest.mark.parametrize(
    ("asa", "silent", "busy", "found"),
    [
        (10, 2, 18, 0.5),
        (10, 2, 6, 2.0),
        (10, 10, 18, 0.0),
        (10, 11, 18, None),  # dearer without an event
        (10, 2, 2, None),  # events cost nothing
    ],
)
def test_break_even(asa: float, silent: float, busy: float, found: float | None) -> None:
    assert break_even(asa, silent, busy) == found


@given(energies, energies, st.floats(1e-3, 1e12), st.floats(0, 1e12))
def test_a_dearer_mac_never_lowers_the_break_even(
    asa: float, silent: float, events: float, dearer: float
) -> None:
    before = break_even(asa, silent, silent + events)
    after = break_even(asa + dearer, silent, silent + events)
    if before is not None:
        assert after is not None
        assert after >= before


@given(st.floats(1, 1e9), st.floats(0, 0.99), st.floats(1e-3, 1e3), st.floats(0.01, 1))
def test_at_the_break_even_nothing_is_saved(
    asa: float, silent: float, events: float, rate: float
) -> None:
    line = replace(
        LINE, asa_pj=asa, silent_pj=silent * asa, busy_pj=(silent + events) * asa, busy_rate=rate
    )
    assert line.rate is not None
    assert line.saving(line.rate) == pytest.approx(0, abs=1e-6)
    assert line.saving(0.0) == pytest.approx(1 - silent)


def test_the_same_break_even_in_three_units() -> None:
    # A run at rate 0.25 with one event per MAC: twice as many events break even.
    line = replace(LINE, busy_pj=6.0, busy_rate=0.25, busy_events_per_mac=1.0)
    assert (line.share, line.rate, line.events_per_mac, line.spikes_per_synapse) == (2, 0.5, 2, 2)
    assert line.busy_saves


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.BELOW),
        ({"silent_pj": 10.0}, Verdict.NEVER),
        ({"silent_pj": 12.0}, Verdict.NEVER),
        ({"busy_pj": 9.0}, Verdict.ALWAYS),  # (10 - 2) / 7 = 1.14
        ({"busy_pj": 9.0, "part": replace(PART, highest_rate=7.0)}, Verdict.BELOW),
        ({"busy_pj": 2.0}, Verdict.ALWAYS),
        ({"busy_pj": 2.0, "busy_rate": 0.0}, Verdict.SILENT),
        ({"unpriced": ("spike",), "bound": Bound.AT_MOST}, Verdict.UNPRICED),
        # What is missing makes the spiking side dearer still.
        ({"unpriced": ("spike",), "bound": Bound.AT_MOST, "silent_pj": 12.0}, Verdict.NEVER),
        ({"unpriced": ("exp",), "bound": Bound.AT_LEAST}, Verdict.UNPRICED),
        ({"unpriced": ("exp",), "bound": Bound.AT_LEAST, "silent_pj": 12.0}, Verdict.UNPRICED),
        # What is missing makes the analog side dearer still.
        ({"unpriced": ("exp",), "bound": Bound.AT_LEAST, "busy_pj": 9.0}, Verdict.ALWAYS),
        ({"unpriced": ("mac",), "bound": Bound.UNKNOWN, "silent_pj": 12.0}, Verdict.UNPRICED),
        ({"unpriced": ("mac",), "bound": Bound.UNKNOWN, "busy_pj": 9.0}, Verdict.UNPRICED),
    ],
)
def test_verdicts(changes: dict[str, object], verdict: Verdict) -> None:
    line = replace(LINE, **changes)  # type: ignore[arg-type]
    assert line.verdict is verdict
    assert line.verdict.definition
    assert (line.rate is None) == (
        bool(line.unpriced) or line.silent_pj > 10 or line.busy_pj == line.silent_pj
    )


@pytest.mark.parametrize(
    ("bound", "busy_pj", "saves"),
    [
        (None, 9.0, True),
        (None, 11.0, False),
        (Bound.AT_MOST, 9.0, None),
        (Bound.AT_MOST, 11.0, False),
        (Bound.AT_LEAST, 9.0, True),
        (Bound.AT_LEAST, 11.0, None),
        (Bound.UNKNOWN, 9.0, None),
        (Bound.UNKNOWN, 11.0, None),
    ],
)
def test_a_missing_price_leaves_certain_what_it_can_only_confirm(
    bound: Bound | None, busy_pj: float, saves: bool | None
) -> None:
    assert replace(LINE, bound=bound, busy_pj=busy_pj).busy_saves is saves


def test_a_side_that_costs_nothing_has_no_saving() -> None:
    assert replace(LINE, asa_pj=0.0).saving(0.5) is None
    assert replace(LINE, busy_rate=0.0).saving(0.5) is None
