"""The arithmetic of the page is that of Python: same counts, same profile, same picojoules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from page_bills import close, compare

from energy import Counts, Label, LayerCount, Levels, Tally, estimate
from energy.bill.layer import GROUPS, STORED
from hwmodels import (
    Buffer,
    Dataflow,
    Encoding,
    Fusion,
    HardwareProfile,
    Op,
    Room,
    load_profile,
    profile_names,
)
from reports import Run
from reports.page.data import page_data
from reports.run.run import Phase, merged

Evaluate = Callable[[str, Any], Any]

CITED = {"source": "made up", "evidence": "unverified"}
SMALL = settings(
    max_examples=60,
    deadline=None,
    phases=[Stage.explicit, Stage.generate],
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)

BILL = """({ world, run, profile, dataflow }) => {
  const phase = run.phases[0];
  const side = bill.estimate(world, execution.loaded(phase.ssa), profile, dataflow);
  const plain = (columns) =>
    Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, [...column]]));
  const groups = plain({ ...side.groups, ...side.stored });
  return { groups, total: [...side.total], levels: side.levels, unpriced: side.unpriced,
    lacks: [...side.lacks], static: side.static, latency: side.latency };
}"""

amounts = st.integers(0, 10**9) | st.integers(0, 20) | st.integers(10**14, 10**15)
COMPONENTS = ["qkv", "proj", "scores", "mix", "neuron", "norm", "residual", "ffn_up", "ffn_down"]
COMPONENTS += ["scan", "linear_attn.scan"]  # whose cache is a state
ENDS = ["", ".weight_encoder", ".value_encoder", ".qkv_neuron"]
bits = st.floats(0.5, 8)
picojoules = st.sampled_from([0.0, 0.25, 81.0]) | st.floats(1e-3, 1e3)


def part(whole: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.just(whole) | st.integers(0, whole)


@st.composite
def rows(draw: st.DrawFn, index: int) -> LayerCount:
    ops = {
        op: draw(amounts)
        for op in draw(st.sets(st.sampled_from([op for op in Op if op.is_counted])))
    }
    slots = draw(st.just(0) | st.integers(1, 10**7))
    return LayerCount(
        f"layer.{index}{draw(st.sampled_from(ENDS))}",
        "Linear",
        Label(draw(st.sampled_from(["attention", "ffn"])), draw(st.sampled_from(COMPONENTS))),
        draw(st.integers(0, 3)),
        Tally(
            ops,
            draw(amounts),
            draw(st.integers(0, slots)),
            slots,
            levels=draw(st.none() | st.sampled_from(list(Levels))),
            channels=draw(st.integers(0, 5000)),
            touched_weights=draw(part(ops.get(Op.WEIGHT_READ, 0))),
            touched_kv=draw(part(ops.get(Op.KV_READ, 0) + ops.get(Op.KV_SPIKE_READ, 0))),
        ),
        draw(st.none() | st.sampled_from([4.156, 16.0])),
        draw(st.none() | st.just(16.0)),
    )


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    size = draw(st.integers(1, 5))
    return Counts(
        "ssa",
        tuple(draw(rows(i)) for i in range(size)),
        timesteps=draw(st.integers(1, 8)),
        tokens=draw(st.integers(0, 64)),
        attention=draw(st.sampled_from(["full", "causal"])),
        value_bits=draw(st.none() | st.none() | st.sampled_from([8.0, 12.5])),
    )


@st.composite
def levels(draw: st.DrawFn) -> dict[str, Any]:
    level: dict[str, Any] = dict(CITED)
    if draw(st.booleans()):
        sizes = sorted(draw(st.sets(st.integers(1, 10**9), min_size=1, max_size=4)))
        level["curve"] = [[size, draw(picojoules)] for size in sizes]
    else:
        level |= {"read_pj_per_byte": draw(picojoules), "write_pj_per_byte": draw(picojoules)}
    if (capacity := draw(st.none() | st.integers(1, 10**10))) is not None:
        level["capacity_bytes"] = capacity
    return level


@st.composite
def profiles(draw: st.DrawFn) -> HardwareProfile:
    plain = [op for op in Op if op.buffer is None and op is not Op.DELIVERY]
    priced = draw(st.sets(st.sampled_from(plain)))
    memory = {f"level{i}": draw(levels()) for i in range(draw(st.integers(1, 3)))}
    placed = {
        buffer: draw(st.lists(st.sampled_from(sorted(memory)), min_size=1, max_size=3))
        for buffer in draw(st.sets(st.sampled_from(list(Buffer))))
    }
    paid = {*priced, Op.DELIVERY}
    free = [op for op in Op if op not in paid and op.buffer not in placed]
    table: dict[str, Any] = {
        "name": "random",
        "title": "Random numbers",
        "precision": "any",
        "value_bytes": draw(st.sampled_from([0.5, 1, 2, 4])),
        "prices": {op: {"pj": draw(picojoules), **CITED} for op in priced},
        "memory": memory,
        "placement": placed,
        "dataflow": draw(st.sampled_from(list(Dataflow))),
        "fusion": draw(st.sampled_from(list(Fusion))),
        "encoding": draw(st.sampled_from(list(Encoding))),
        "room": draw(st.sampled_from(list(Room))),
        "widths": {"accumulators": draw(st.integers(1, 64)), "vectors": draw(st.none() | bits)},
        "included": dict.fromkeys(draw(st.sets(st.sampled_from(free))) if free else (), "inside"),
    }
    if draw(st.booleans()):
        reuse = st.floats(1, 1e4)
        table["delivery"] = {
            "pj_per_byte": draw(picojoules),
            "mac_reuse": draw(reuse),
            "event_reuse": draw(reuse),
            **CITED,
        }
    if draw(st.booleans()):
        table["core"] = {"synapses": draw(st.integers(1, 10**6)), "neurons": 64, **CITED}
    if draw(st.booleans()):
        table["static_power"] = {"watts": 0.5, **CITED}
        ops = draw(st.sets(st.sampled_from(plain)))
        if draw(st.booleans()):
            table["bandwidth"] = {"level0": {"bytes_per_second": 1e9, **CITED}}
        table["throughput"] = {op: {"per_second": draw(st.floats(1, 1e12)), **CITED} for op in ops}
    return HardwareProfile.model_validate(table)


def run_of(counts: Counts, *hw: HardwareProfile) -> Run:
    return Run("profile", replace(counts, variant="asa"), counts, hw, {}, {}, "never")


@SMALL
@given(counts=counted(), profile=profiles())
def test_any_bill_is_the_one_of_python(
    evaluate: Evaluate, counts: Counts, profile: HardwareProfile
) -> None:
    data = page_data(run_of(counts, profile))
    case = {"profile": data["profiles"][0], "dataflow": profile.dataflow}
    found = evaluate(BILL, {"world": data["world"], "run": data["run"], **case})
    expected = estimate(counts, profile)
    for group in (*GROUPS, *STORED):
        assert close(found["groups"][group], [row.group_pj(group) for row in expected.layers])
    assert close(found["total"], [row.total_pj for row in expected.layers])
    # What one level gets is what another has no room for: known to the last digits of their sum.
    levels = {k: v for k, v in found["levels"].items() if v}
    last_pj = 1e-14 * sum(expected.level_pj.values())
    assert levels == pytest.approx(expected.level_pj, rel=1e-9, abs=last_pj)
    assert close(found["unpriced"], {op.value: n for op, n in expected.unpriced.items()})
    assert found["lacks"] == [int(row.lacks_compute) for row in expected.layers]
    assert close([found["static"]], [expected.static_pj])
    assert close([found["latency"]], [expected.latency_s])


#: The same where the rows of `counts` stand at several places of a model.
COPIES = """({ world, counts, places, profile, dataflow }) => {
  const copies = new Float64Array(counts.name.length);
  for (const { row } of places) copies[row] += 1;
  const all = { ...execution.loaded(counts), copies, places };
  const side = bill.estimate(world, all, profile, dataflow);
  return { groups: Object.fromEntries(Object.entries({ ...side.groups, ...side.stored }).map(
      ([key, column]) => [key, [...column]])),
    rows: side.total.length, levels: side.levels, unpriced: side.unpriced, latency: side.latency };
}"""


@SMALL
@given(counts=counted(), profile=profiles(), copies=st.integers(2, 4))
def test_rows_at_several_places_are_priced_once(
    evaluate: Evaluate, counts: Counts, profile: HardwareProfile, copies: int
) -> None:
    """The bill of so many layers that are alike, one behind the other, is the sum of their rows."""
    rows = [(copy, i, row) for copy in range(copies) for i, row in enumerate(counts.layers)]
    every = tuple(replace(row, label=replace(row.label, depth=copy)) for copy, _, row in rows)
    whole = estimate(replace(counts, layers=every), profile)
    data = page_data(run_of(counts, profile))
    case = {"profile": data["profiles"][0], "dataflow": profile.dataflow, "world": data["world"]}
    places = [{"row": i} for _, i, _ in rows]
    case |= {"counts": data["run"]["phases"][0]["ssa"], "places": places}
    found = evaluate(COPIES, case)
    assert found["rows"] == len(counts.layers)
    for group in (*GROUPS, *STORED):
        sums = [0.0] * len(counts.layers)
        for (_, i, _), row in zip(rows, whole.layers, strict=True):
            sums[i] += row.group_pj(group)
        assert close(found["groups"][group], sums), group
    levels = {k: v for k, v in found["levels"].items() if v}
    last_pj = 1e-14 * sum(whole.level_pj.values())
    assert levels == pytest.approx(whole.level_pj, rel=1e-9, abs=last_pj)
    assert close(found["unpriced"], {op.value: n for op, n in whole.unpriced.items()})
    assert close([found["latency"]], [whole.latency_s])


@pytest.mark.parametrize(
    ("hw", "dataflow"),
    [*((hw, None) for hw in profile_names()), *(("45nm", dataflow) for dataflow in Dataflow)],
)
def test_each_built_in_profile_gives_the_bills_and_savings_of_python(
    evaluate: Evaluate, make_run: Callable[..., Run], hw: str, dataflow: Dataflow | None
) -> None:
    run = replace(make_run(hw), dataflow=dataflow)
    compare(evaluate, run, *run.estimates[hw])


@pytest.mark.parametrize("dataflow", Dataflow)
def test_spikes_travel_between_the_cores_that_the_layers_need_in_any_dataflow(
    evaluate: Evaluate, make_run: Callable[..., Run], dataflow: Dataflow
) -> None:
    small = load_profile("loihi")
    core = small.core
    assert core is not None
    # Layers of up to 8 x 32 weights take many cores of 10, so how far spikes go depends on them.
    chip = small.model_copy(update={"core": core.model_copy(update={"synapses": 10})})
    run = replace(make_run("loihi"), profiles=(chip,), dataflow=dataflow)
    asa, ssa = run.estimates["loihi"]
    assert ssa.counts.total(Op.SPIKE_HOP) > 10 * ssa.counts.total(Op.SPIKE)
    compare(evaluate, run, asa, ssa)


@pytest.mark.parametrize("latency", [{}, {"asa": 2.0, "ssa": 3.0}, {"ssa": 3.0}])
@pytest.mark.parametrize("phase", [None, 0, 1])
def test_phases_are_priced_one_by_one(
    evaluate: Evaluate, make_run: Callable[..., Run], phase: int | None, latency: dict[str, float]
) -> None:
    first, second = make_run("loihi", tokens=4), make_run("loihi", tokens=6)
    phases = (Phase("prefill", first.asa, first.ssa), Phase("decode", second.asa, second.ssa))
    run = replace(
        first,
        asa=merged((first.asa, second.asa), "request"),
        ssa=merged((first.ssa, second.ssa), "request"),
        request=phases,
        latency_s=latency,
    )
    pair = run.estimates["loihi"] if phase is None else run.phase_estimates["loihi"][phase]
    compare(evaluate, run, *pair, "" if phase is None else f"phase={phase}")
