from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, estimate
from energy.bill.stack import PARTS, STATIC
from energy.formulas import Attention, Conventions
from hwmodels import Fusion, HardwareProfile, load_profile
from hwmodels.errors import UserError
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.closed_form.plan_zones import plan_zones
from neurt.families import ALIASES
from neurt.measure.map import run_map
from neurt.measure.mapped import FLOW
from neurt.measure.planning import run_plan
from neurt.measure.stored_model import active_rates, spike_rates, stored_model
from neurt.requests.map import MapRequest
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import Code, Form, SpikingConfig
from reports.kit.pictures import Pictures
from reports.map.cells import CONTENDERS, Cell, EnergyMap
from reports.read import read_run
from reports.write import write_report

MIB = 1 << 20
SPIKING = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=3)
SMALL: dict[str, Any] = {
    "model": "gpt2-small",
    "hw": ("45nm",),
    "batches": (1, 5),
    "contexts": (100, 1000),
    "weight_bits": (4.5, 32),
    "sram": (MIB, 200 * MIB),
    "spiking": SPIKING,
    "spike_rate": 0.1,
}


def ask(**asked: Any) -> EnergyMap:
    [found] = run_map(MapRequest(**SMALL | asked))
    return found


def machine(hw: str, cell: Cell, fusion: str) -> HardwareProfile:
    """The hardware that a cell is about, put together by hand."""
    own = load_profile(hw)
    sram = own.memory["sram"].model_copy(update={"capacity_bytes": cell.sram_bytes})
    widths = own.widths.model_copy(update={"weights": cell.weight_bits})
    changed = {"memory": {**own.memory, "sram": sram}, "widths": widths, "fusion": Fusion(fusion)}
    return own.model_copy(update=changed)


def sides(what: Pass, conventions: Conventions) -> dict[str, Counts]:
    shape = ALIASES["gpt2-small"][1]
    dense = plan_asa(shape, what, conventions)
    spiking = plan_ssa(shape, what, SPIKING, 0.1, conventions)
    # A value is silent in all three steps with the chance 0.9^3.
    zones = plan_zones(dense, spiking, lambda _: 1 - 0.9**3)
    return dict(zip(CONTENDERS, (dense, zones, spiking), strict=True))


@pytest.mark.parametrize("phase", ["decode", "prefill"])
@pytest.mark.parametrize("pairs", Attention)
def test_each_cell_is_what_plans_cost_on_that_machine(phase: str, pairs: Attention) -> None:
    found = ask(phase=phase, attention=pairs)
    assert len(found.cells) == 2**4
    one = decode if phase == "decode" else prefill
    known = {
        (batch, context): sides(one(context, batch=batch), Conventions(pairs))
        for batch in (1, 5)
        for context in (100, 1000)
    }
    for cell in found.cells[::3]:
        counts = known[cell.batch, cell.context]
        for fusion in Fusion:
            hw, bill = machine("45nm", cell, fusion), getattr(cell, fusion)
            for name in CONTENDERS:
                alone = estimate(counts[name], hw, dataflow=FLOW)
                tokens = counts[name].tokens
                assert bill.pj(name) == pytest.approx(alone.energy_pj() / tokens, rel=1e-12)
                for part, pj in bill.parts_pj[name].items():
                    assert pj == pytest.approx(alone.group_pj(part) / tokens, rel=1e-12), part


def test_dense_and_spiking_are_what_plan_says() -> None:
    found = ask(batches=(5,), contexts=(100,), weight_bits=(8,), sram=(24 * MIB,))
    [cell] = found.cells
    asked: dict[str, Any] = {"phase": "decode", "context": 100, "batch": 5, "spike_rate": 0.1}
    request = PlanRequest(
        model="gpt2-small",
        hw=("45nm",),
        widths={"weights": 8},
        dataflow=FLOW,
        spiking=SPIKING,
        out=Path("x"),
        **asked,
    )
    bills = run_plan(request).estimates["45nm"]
    for name, bill in zip(("dense", "spiking"), bills, strict=True):
        for bound in ("fused", "unfused"):
            priced = bill.energy_pj(bound) / 5
            assert getattr(cell, bound).pj(name) == pytest.approx(priced, rel=1e-12)
    assert found.unpriced == ("exp", "sqrt")


def test_a_hand_calculation_of_the_weights() -> None:
    """One token, all weights in DRAM, where they are whole: 4.5 / 8 bytes at 162.5 pJ each."""
    asked: dict[str, Any] = {"weight_bits": (4.5,), "sram": (MIB,), "room": "fixed-order"}
    [cell] = ask(batches=(1,), contexts=(100,), **asked).cells
    layers, width, vocabulary = 12, 768, 50257
    weights = layers * (3 + 1 + 4 + 4) * width**2 + width * vocabulary
    biases = layers * (3 + 1 + 4 + 1) * width
    norms = (2 * layers + 1) * 2 * width
    embeddings = 2 * width
    # What is no matrix is FP32.
    dram = 162.5 * (weights * 4.5 / 8 + (biases + norms + embeddings) * 4)
    assert cell.fused.parts_pj["dense"]["weights"] == pytest.approx(dram, rel=1e-6)


def test_the_order_of_the_cells_and_what_is_said() -> None:
    found = ask(weight_bits=(4.5, 4.5, 32), batches=(5, 1, 5))
    places = [(c.sram_bytes, c.weight_bits, c.batch, c.context) for c in found.cells]
    assert places[:3] == [(MIB, 4.5, 5, 100), (MIB, 4.5, 5, 1000), (MIB, 4.5, 1, 100)]
    assert len(places) == len({*places}) == 16
    assert found.title == (
        "gpt2-small, weights none(closed form), decode, T = 3, softmax attention, code pow2\n"
        "spike rates assumed 0.1, active rates assumed 0.271"
    )


def test_contexts_and_widths_unless_they_are_asked_for() -> None:
    def axes(**asked: Any) -> tuple[list[Any], list[Any]]:
        found = ask(**{"contexts": (), "weight_bits": (), "batches": (1,), "sram": (1,), **asked})
        return found.axis("context"), found.axis("weight_bits")

    assert axes() == ([128, 512, 1024], [4.5, 8, 16, 32])
    assert axes(hw=("45nm-int8",)) == ([128, 512, 1024], [4.5, 8])
    assert axes(model="gpt2-nano", widths={"weights": 3}) == ([128, 256], [3])
    assert axes(model="smollm2-135m")[0] == [128, 512, 2048, 8192]


def test_a_profile_with_one_level_of_memory_has_no_axis_of_sizes(tmp_path: Path) -> None:
    flat = tmp_path / "flat.toml"
    buffers = ("weights", "kv_cache", "state", "spikes", "activations")
    placed = "".join(f'{buffer} = ["dram"]\n' for buffer in buffers)
    head = 'extends = "45nm"\nname = "flat"\ntitle = "flat"\n[placement]\n'
    flat.write_text(f"{head}{placed}", encoding="utf-8")
    asked = {name: value for name, value in SMALL.items() if name != "sram"}
    [found] = run_map(MapRequest(**asked | {"hw": (str(flat),)}))
    assert found.axis("sram_bytes") == [None]
    with pytest.raises(UserError, match="--sram has no effect on 'flat'"):
        ask(hw=(str(flat),))


def test_static_energy_is_in_all_bills_or_in_none(tmp_path: Path) -> None:
    warm = tmp_path / "warm.toml"
    power = '[static_power]\nwatts = 2.0\nsource = "test"\nevidence = "derived"\n'
    warm.write_text(f'extends = "7nm-hbm2"\nname = "warm"\ntitle = "warm"\n{power}', "utf-8")
    for cell in ask(hw=(str(warm),)).cells:
        parts = [cell.fused.parts_pj[name][STATIC] for name in CONTENDERS]
        assert min(parts) > 0
        assert all(math.isfinite(cell.fused.pj(name)) for name in CONTENDERS)
    for cell in ask(hw=("7nm-hbm2",)).cells:
        assert all(STATIC not in cell.unfused.parts_pj[name] for name in CONTENDERS)


def test_every_part_of_a_cell_is_a_part_of_a_bill() -> None:
    for cell in ask().cells:
        for bill in (cell.fused, cell.unfused):
            assert {part for pj in bill.parts_pj.values() for part in pj} <= {*PARTS}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"hw": ("loihi-sanafe",)}, "'loihi-sanafe' has no memory level for weights"),
        ({"contexts": (1025,)}, "1025 tokens are more than the 1024 positions of 'gpt2-small'"),
        ({"hw": ("45nm-int8",)}, "--weight-bits: weights of 32 bits do not fit the arithmetic"),
        ({"run": Path("r")}, "a --run has a model of its own"),
        ({"widths": {"weights": 8}}, "--weight-bits are those of --widths weights too"),
        ({"batches": tuple(range(1, 2000))}, "the grid has 15,992 cells, and 10,000 are the most"),
        ({"model": "no such model"}, "'no such model'"),
    ],
)
def test_what_no_map_can_be_of_is_one_line(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        ask(**asked)
    assert said in str(error.value)
    assert len(str(error.value)) <= 300
    assert "\n" not in str(error.value)


def run_in(directory: Path, command: str) -> None:
    """A run of one decode step, planned."""
    asked: dict[str, Any] = {"phase": "decode", "context": 100, "spike_rate": 0.1}
    request = PlanRequest(model="gpt2-small", hw=("45nm",), spiking=SPIKING, out=directory, **asked)
    run = replace(run_plan(request), command=command)
    write_report(run, directory, pictures=Pictures.NONE, page=False)


def test_a_run_has_its_own_model_conversion_and_rates(tmp_path: Path) -> None:
    run_in(tmp_path, "plan")
    of_run = ask(model=None, run=tmp_path, spiking=SpikingConfig(), spike_rate=0.2)
    assert of_run.cells == ask().cells
    assert (of_run.model, of_run.timesteps, of_run.spike_rates) == ("gpt2-small", 3, "assumed 0.1")


def test_what_was_measured_is_taken_layer_by_layer(tmp_path: Path) -> None:
    run_in(tmp_path, "profile")
    sizes: dict[str, Any] = {"batches": (5,), "contexts": (1000,), "weight_bits": (8,)}
    measured, planned = ask(model=None, run=tmp_path, **sizes), ask(**sizes)
    assert (measured.spike_rates, measured.active_rates) == ("measured in decode",) * 2
    # Of one token with 768 channels at least, spikes are whole numbers.
    for one, other in zip(measured.cells, planned.cells, strict=True):
        for name in CONTENDERS:
            assert one.fused.pj(name) == pytest.approx(other.fused.pj(name), rel=1e-3)


def test_activity_of_a_run_in_decode(tmp_path: Path) -> None:
    run_in(tmp_path, "profile")
    run = read_run(tmp_path)
    known = stored_model(run)
    assert known is not None
    shape, spiking = known
    rates, _ = spike_rates(run, shape, spiking)
    found, said = active_rates(run, shape, rates, spiking.timesteps)
    assert isinstance(found, dict)
    assert said == "measured in decode"
    # Four linear layers and the weights of attention, in each of 12 layers: 1 - 0.9^3.
    assert len(found) == 5 * 12
    assert found["transformer.h.3.attn.core.weight_encoder"] == pytest.approx(0.271, abs=1e-3)
    assert found["transformer.h.3.mlp.c_proj"] == pytest.approx(0.271, abs=1e-3)
