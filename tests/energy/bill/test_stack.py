from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from energy import Counts, estimate
from energy.bill.layer import IN_GROUP
from energy.bill.stack import PARTS, STATIC, Stack
from hwmodels import Core, Dataflow, Fusion, HardwareProfile, Op, Room, StaticPower, load_profile
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import Code, Form, SpikingConfig

SHAPE = Shape(3, 64, 4, 256, vocabulary=101, positions=64)
SPIKING = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2)


def pair(what: Pass, layers: int) -> list[Counts]:
    shape = replace(SHAPE, layers=layers)
    return [plan_asa(shape, what), plan_ssa(shape, what, SPIKING, 0.3)]


def machine(**changed: object) -> HardwareProfile:
    """With room for a part of what such small models hold."""
    own = load_profile("45nm")
    level = own.memory["sram"].model_copy(update={"capacity_bytes": 30_000})
    return own.model_copy(update={"memory": {**own.memory, "sram": level}, **changed})


def stacked(passes: list[Pass], *, once: bool = False) -> Stack:
    """All counts as one table; `once` if a layer stands for the three that are alike."""
    models = [counts for what in passes for counts in pair(what, 1 if once else 3)]
    outside = [counts.only(block="head") for counts in models]
    assert all(len(counts.layers) == 2 for counts in outside)
    rows = [
        np.repeat(
            np.arange(len(counts.layers)),
            [1 if row.label.depth is None or not once else 3 for row in counts.layers],
        )
        for counts in models
    ]
    return Stack(tuple(models), tuple(rows))


DECODES = [decode(5), decode(64, batch=3), decode(64, batch=9)]
PREFILLS = [prefill(32, batch=1), prefill(32, batch=4)]


@pytest.mark.parametrize("passes", [DECODES, PREFILLS])
@pytest.mark.parametrize("room", Room)
@pytest.mark.parametrize("fusion", Fusion)
@pytest.mark.parametrize("dataflow", Dataflow)
@pytest.mark.parametrize("once", [False, True])
def test_each_bill_of_a_stack_is_that_of_the_model_alone(
    passes: list[Pass], room: Room, fusion: Fusion, dataflow: Dataflow, once: bool
) -> None:
    hw = machine(room=room, fusion=fusion)
    bill = stacked(passes, once=once).bill(hw, dataflow)
    alone = [estimate(counts, hw, dataflow=dataflow) for what in passes for counts in pair(what, 3)]
    whole = sum(bill.parts_pj.values())
    assert whole == pytest.approx([one.energy_pj() for one in alone], rel=1e-12)
    for part, pj in bill.parts_pj.items():
        assert pj == pytest.approx([one.group_pj(part) for one in alone], rel=1e-12), part
    assert {*bill.unpriced} == {op for one in alone for op in one.unpriced} == {Op.EXP, Op.SQRT}


def test_static_energy_of_each_and_none_where_nobody_knows_the_time() -> None:
    power = StaticPower(watts=0.5, source="test", evidence="derived")
    hw = load_profile("7nm-hbm2").model_copy(update={"static_power": power})
    stack = stacked(DECODES, once=True)
    found = stack.bill(hw).parts_pj[STATIC]
    alone = [estimate(counts, hw) for what in DECODES for counts in pair(what, 3)]
    assert found == pytest.approx([one.static_pj for one in alone], rel=1e-12)
    assert STATIC not in stack.bill(load_profile("7nm-hbm2")).parts_pj
    slow = {op: x for op, x in hw.throughput.items() if op is not Op.SHIFT_AC}
    unknown = stack.bill(hw.model_copy(update={"throughput": slow})).parts_pj[STATIC]
    # The events of the spiking models have no rate.
    assert np.isnan(unknown).tolist() == [False, True] * 3


def test_spikes_do_not_travel_between_models() -> None:
    hw = machine(core=Core(neurons=10, synapses=100, source="test", evidence="derived"))
    with pytest.raises(ValueError, match="one by one"):
        stacked(DECODES).bill(hw)
    [counts] = [pair(DECODES[0], 3)[1]]
    one = Stack((counts,), (np.arange(len(counts.layers)),))
    assert sum(one.bill(hw).parts_pj.values()) == pytest.approx([estimate(counts, hw).energy_pj()])


def test_every_operation_is_in_one_part() -> None:
    times = [sum(op in IN_GROUP[part] for part in PARTS if part != STATIC) for op in Op]
    assert times == [1] * len(Op)
