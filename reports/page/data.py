"""What the page of a run is made of: counts in columns, profiles, the vocabulary of the bill."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from energy import Counts, LayerCount
from energy.bill.execution import LEAKY
from energy.bill.layer import ACCOUNTINGS, GROUPS, IN_GROUP, STORED
from energy.bill.placement import BUFFERS
from energy.bill.pricing import HELD_ALREADY
from energy.bill.traffic import SPIKES
from energy.counts import Levels
from energy.counts.counts import COUNT_COLUMNS, CountRow
from energy.counts.layer import LOOKED
from energy.formulas.arithmetic import ARITHMETIC
from hwmodels import (
    Dataflow,
    Encoding,
    Fusion,
    HardwareProfile,
    Op,
    ProfileError,
    Room,
    load_profile,
    siblings,
)
from hwmodels.prices import Evidence
from reports.kit.caveats import PUBLISHED_SAVING, PUBLISHED_SOURCE
from reports.kit.palette import COMPONENT_COLOURS, GROUP_COLOURS
from reports.kit.parts import ACCOUNTING_NAMES, COMPONENT_NAMES, GROUP_NAMES, layer_axis, present
from reports.page.as_run import intervals
from reports.run.run import Run
from reports.views.tables import ENERGY_COLUMNS

#: Counted in each time step, wherever a layer has spikes.
_PER_STEP = frozenset(
    op
    for op in Op
    if op in (Op.AC, Op.SHIFT_AC, Op.NEURON_UPDATE, Op.SPIKE, Op.STATE_READ, Op.STATE_WRITE)
    or "_spike_" in f"_{op}"
)


def page_data(run: Run) -> dict[str, Any]:
    """Everything that the scripts of the page need, as plain JSON values."""
    asked = tuple(it for it in run.profiles if isinstance(it, HardwareProfile))
    profiles, families = _hardware(asked)
    return {
        "world": world(),
        "run": {
            "phases": [
                {"name": phase.name, "asa": columns(phase.asa), "ssa": columns(phase.ssa)}
                for phase in run.phases
            ],
            "dataflow": run.dataflow,
            "latency_s": dict(run.latency_s),
            "intervals": intervals(run),
        },
        "profiles": [profile.model_dump(mode="json", exclude_none=True) for profile in profiles],
        "families": families,
        "blocks": list(present(run.asa, run.ssa).items()),
        "columns": {
            "counts": [column.name for column in COUNT_COLUMNS],
            "energy": [column.name for column in ENERGY_COLUMNS],
        },
        "evidence": {grade: grade.definition for grade in Evidence},
        "colours": {"components": COMPONENT_COLOURS, "groups": GROUP_COLOURS},
        "names": {
            "components": COMPONENT_NAMES,
            "groups": GROUP_NAMES,
            "accountings": ACCOUNTING_NAMES,
            "layer": layer_axis(run.asa.phase),
        },
        # Of the attention of language models.
        "published": None
        if run.of_network
        else {"range": PUBLISHED_SAVING, "source": PUBLISHED_SOURCE},
    }


def world() -> dict[str, Any]:
    """The vocabulary of the bill: what each operation and each dataflow means."""
    return {
        "ops": [
            {
                "op": op,
                "group": op.group,
                "buffer": op.buffer,
                "stored": next((part for part in STORED if op in IN_GROUP[part]), None),
                "read": op.is_read,
                "spikes": op in SPIKES,
                "held": op.buffer is not None and op not in HELD_ALREADY,
                "alike": op.alike,
                "definition": op.definition,
            }
            for op in Op
        ],
        "groups": GROUPS,
        "stored": STORED,
        "accountings": ACCOUNTINGS,
        "fusion": {bound: bound.definition for bound in Fusion},
        "encoding": {encoding: encoding.definition for encoding in Encoding},
        "room": {room: room.definition for room in Room},
        "buffers": BUFFERS,
        "levels": {x: {"bits": x.bits_per_slot, "payload": x.payload_bits} for x in Levels},
        "arithmetic": {kind: known._asdict() for kind, known in ARITHMETIC.items()},
        "neuron_parts": list(LEAKY),
        "leaky": LEAKY,
        "dataflows": {
            flow: {"rules": vars(flow.rules), "definition": flow.definition} for flow in Dataflow
        },
    }


#: What was run, and what was counted of each layer, by its name here and in `counts.csv`.
_ABOUT = (
    *("variant", "model", "weights", "phase", "batch", "tokens", "timesteps", "attention"),
    "value_bits",
)
_LAYER = {"name": "layer"} | {
    name: name
    for name in (
        *("kind", "block", "component", "depth", "calls", "dense_macs", "zero_macs"),
        *("spikes", "slots", "levels", "channels", "weight_bits", "vector_bits", *LOOKED),
    )
}


def columns(counts: Counts) -> dict[str, Any]:
    """Counts of one variant, a column for each field and operation, in the order of the layers."""
    rows = counts.layers
    occurring = [op for op in Op if counts.total(op)]
    records = [CountRow(counts, row) for row in rows]
    values = {column.name: column.value for column in COUNT_COLUMNS}
    return {
        **{name: getattr(counts, name) for name in _ABOUT},
        **{name: list(map(values[column], records)) for name, column in _LAYER.items()},
        "ops": {op: [row.tally.ops.get(op, 0) for row in rows] for op in occurring},
        "steps": _steps(counts, occurring),
    }


def _steps(counts: Counts, ops: Iterable[Op]) -> dict[Op, list[int]]:
    """The layers in which an operation is done in each time step, by operation."""
    layers = [steps_with_time(row, counts) for row in counts.layers]
    return {op: [i for i, timed in enumerate(layers) if op in timed] for op in ops}


def steps_with_time(row: LayerCount, counts: Counts) -> frozenset[Op]:
    """The operations of a layer whose number is proportional to the number of time steps.

    Spikes, events and neuron updates are, in every layer that has them. Whether analog values
    move once per time step or once per call depends on the code, which the counts tell: a neuron
    reads an input per update or one for all of them, a product writes a result per time step or
    one for all of them. With a single time step nothing tells, and they are taken as once per
    call.
    """
    ops, time = row.tally.ops, counts.timesteps
    if not row.tally.slots:
        return {
            "RowScale": frozenset(ops),  # of what every time step has mixed
            "RowNormalise": frozenset({Op.ADD}),  # one addition for each event that arrived
        }.get(row.kind, frozenset())
    found = _PER_STEP & ops.keys()
    if time == 1:
        return found
    if updates := ops.get(Op.NEURON_UPDATE, 0):
        each = ops.get(Op.ACTIVATION_READ, 0) == updates
        return found | {Op.ACTIVATION_READ} if each else found
    # Of the values that a product writes, each is the sum of `fan_in` slots of each time step:
    # one result for all of them leaves `time` times as many products per result.
    written = ops.get(Op.ACTIVATION_WRITE, 0)
    fan_in = _fan_in(row)
    if written and fan_in and row.tally.dense_macs == written * fan_in:
        found |= {Op.ACTIVATION_WRITE}
    if Op.KV_SPIKE_READ in ops:  # spikes in the cache: a product for each time step
        found |= {Op.ACTIVATION_READ, Op.ACTIVATION_WRITE} & ops.keys()
    return found


def _fan_in(row: LayerCount) -> float:
    """Slots that meet in one result of one time step; 0 where nothing tells."""
    tally = row.tally
    if weights := tally.ops.get(Op.WEIGHT_READ, 0):
        vectors = tally.dense_macs * max(1, row.calls) // weights
        return tally.slots // vectors if vectors else 0
    return 0


def _hardware(
    asked: tuple[HardwareProfile, ...],
) -> tuple[list[HardwareProfile], list[list[tuple[str, str]]]]:
    """Profiles to choose from, those of the run first, and (precision, name) of each hardware."""
    found = {profile.name: profile for profile in asked}
    families: list[list[tuple[str, str]]] = []
    for profile in asked:
        if any(name == profile.name for family in families for _, name in family):
            continue
        members = _siblings(profile) or {profile.precision: profile}
        for other in members.values():
            found.setdefault(other.name, other)
        families.append([(precision, other.name) for precision, other in members.items()])
    return list(found.values()), families


def _siblings(profile: HardwareProfile) -> dict[str, HardwareProfile]:
    """Its hardware by precision; nothing for a user's own file, whose siblings no name tells."""
    try:
        if load_profile(profile.name) != profile:
            return {}
        return {p: load_profile(name) for p, name in siblings(profile.name).items()}
    except ProfileError:
        return {}
