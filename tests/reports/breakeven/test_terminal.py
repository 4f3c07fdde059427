from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from energy import estimate
from energy.compare.breakeven import Bound, BreakEven
from hwmodels import Op
from reports.breakeven.case import Case, Origin, reuse_text
from reports.breakeven.table import case_table
from reports.breakeven.terminal import print_breakeven

Make = Callable[..., Case]


def said(*cases: Case) -> str:
    out = io.StringIO()
    print_breakeven(cases, Console(file=out, width=200, highlight=False))
    return out.getvalue()


def line(case: Case, part: str) -> list[str]:
    [cells] = [cells for cells in case_table(case).cells() if cells[0] == part]
    return cells


def test_a_closed_form(make_case: Make) -> None:
    case = make_case(measured=False)
    text = said(case)
    assert "tiny, T = 4, prefill, 4 tokens" in text
    assert "dataflow layerwise" in text
    # rate 0.5: 2 events per MAC, 2 spikes per synapse
    half = ["0.500", "2.000", "2.000"]
    assert line(case, "low") == ["low", "a layer", *half * 3]
    answer = " ".join(text.split()).partition("The spiking ")[2].partition(". ")[0]
    assert answer.endswith("saves below 0.5 spikes per slot (MACs and ACs, fused, unfused)")


def test_a_run(make_case: Make) -> None:
    case = make_case(measured=True)
    cells = ["0.500", "below (saves)", "+400 %"]
    assert line(case, "low") == ["low", "0.100", "0.400", "0.400", *cells * 3]
    cells = ["0.500", "above (costs)", "-38 %"]
    assert line(case, "high") == ["high", "0.800", "3.200", "3.200", *cells * 3]


def test_the_rates_of_a_plan_are_assumed(make_case: Make) -> None:
    case = make_case(origin=Origin.PLAN)
    cells = ["0.500", "below (saves)", "+400 %"]
    assert line(case, "low") == ["low", "0.100", "0.400", "0.400", *cells * 3]
    text = " ".join(said(case).split())
    assert "unfused); the plan assumes 0.25." in text
    assert "save, as assumed: " in text
    shown = text.partition("The literature")[0]
    assert "measured" not in shown
    assert "it sends" not in shown


def test_thresholds_and_conditions_stand_beside_it(make_case: Make) -> None:
    text = said(make_case(measured=False))
    assert "Davidson & Furber 2021: 1.72 (unverified; " in text
    assert "Dampfhoffer et al. 2023: 0.15 to 1.38 (unverified; " in text
    assert "Yan et al. 2024 (T x rate): 0.208 to 0.297 (unverified; " in text
    # 4.6 / 0.9 = 5.11; / 4 = 1.28
    assert "k = MAC / AC = 5.11, T = 4): break-even rate k / T = 1.28" in " ".join(text.split())
    assert "worst case k >= 4 holds" in " ".join(text.split())
    assert "Static energy is unknown on 45nm" in text


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"silent_pj": 11.0, "busy_pj": 18.0}, "never"),
        ({"busy_pj": 9.0, "busy_rate": 1.0}, "always (1.143)"),
        ({"busy_pj": 2.0}, "always"),
        ({"busy_pj": 2.0, "busy_rate": 0.0}, "no event seen"),
        ({"unpriced": ("spike",), "bound": Bound.AT_MOST}, "≤ 0.500"),
        ({"unpriced": ("exp",), "bound": Bound.AT_LEAST}, "≥ 0.500"),
        ({"unpriced": ("mac",), "bound": Bound.UNKNOWN}, "unpriced"),
    ],
)
def test_what_stands_for_a_rate(changes: dict[str, object], shown: str, make_case: Make) -> None:
    case = make_case(measured=False)
    found = tuple(
        replace(one, **changes) if one.part.name == "low" else one  # type: ignore[arg-type]
        for one in case.breakevens
    )
    assert line(replace(case, breakevens=found), "low")[2] == shown


def test_a_bound_of_the_rate_is_one_of_events_too(make_case: Make) -> None:
    case = make_case(measured=False)
    found = tuple(replace(x, unpriced=("spike",), bound=Bound.AT_MOST) for x in case.breakevens)
    # rate 0.5: 4 x 0.5 events per MAC, 4 x 0.5 spikes per synapse
    cells = line(replace(case, breakevens=found), "low")[2:5]
    assert cells == ["≤ 0.500", "≤ 2.000", "≤ 2.000"]
    lost = tuple(replace(x, bound=Bound.UNKNOWN) for x in found)
    assert line(replace(case, breakevens=lost), "low")[2:5] == ["unpriced", "-", "-"]


def test_samples_of_a_network_are_no_tokens(make_case: Make) -> None:
    case = make_case(measured=True)
    counts = replace(case.ssa.counts, phase="inference", tokens=2)
    text = said(replace(case, ssa=estimate(counts, case.ssa.profile)))
    assert "inference, 2 samples" in text.partition("break-even")[0]


def test_arithmetic_alone_is_that_of_the_events_of_the_code(make_case: Make) -> None:
    case = make_case(measured=False)
    [layer, *_] = [row for row in case.ssa.counts.layers if row.tally.accumulates]
    found = []
    for op in (Op.AC, Op.SHIFT_AC):
        tally = layer.tally._replace(ops={op: 5})
        counts = replace(case.ssa.counts, layers=(replace(layer, tally=tally),))
        found.append(" ".join(said(replace(case, ssa=estimate(counts, case.ssa.profile))).split()))
    # 4.6 / 0.9 = 5.11; 4.6 / 0.93 = 4.95, / 4 = 1.24
    assert "(k = MAC / AC = 5.11, T = 4)" in found[0]
    assert "shift_ac" not in found[0]
    assert "(k = MAC / shift_ac = 4.95, T = 4): break-even rate k / T = 1.24" in found[1]
    assert "MAC / AC" not in found[1]


def test_gaps_are_named_once(make_case: Make) -> None:
    case = make_case(measured=False)

    def gap(one: BreakEven) -> BreakEven:
        return replace(one, unpriced=("spike",), bound=Bound.AT_MOST, cancelled=("sqrt",))

    text = " ".join(said(replace(case, breakevens=tuple(map(gap, case.breakevens)))).split())
    assert text.count("Without a price on 45nm, so no break-even, at best a bound: spike; in ") == 1
    assert "low (compute), low (fused), low (unfused), high (compute)" in text
    assert text.count("so the break-even holds at any price: sqrt.") == 1


def test_random_weights_are_said_to_be_random(make_case: Make) -> None:
    assert "Weights are random(seed=0): " in said(make_case(measured=True))


@pytest.mark.parametrize(
    ("reuse", "words"),
    [(None, "no number is enough"), (1.0, "any number"), (18.3214, "at least 18.32")],
)
def test_how_many_events_must_share_a_fetch_is_one_sentence(
    reuse: float | None, words: str, make_case: Make
) -> None:
    case = make_case(measured=False)
    found = tuple(replace(one, event_reuse=reuse) for one in case.breakevens)
    assert reuse_text(replace(case, breakevens=found)) == (
        "Events that must share a fetch of a stored operand beside the adders for the ffn block to "
        f"save, with an event in each slot: {words} (fused), {words} (unfused); the profile has "
        "2,048."
    )
