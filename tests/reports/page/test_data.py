from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from energy import Counts
from energy.bill.execution import LEAKY
from energy.formulas.arithmetic import ARITHMETIC
from hwmodels import HardwareProfile, Op, load_profile
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import Code, Form, SpikingConfig
from reports import Run
from reports.page.data import page_data, steps_with_time

SHAPE = Shape(layers=1, width=16, heads=2, inner=64, vocabulary=11, positions=16)


def spiking(config: SpikingConfig, timesteps: int) -> Counts:
    changed = config.model_copy(update={"timesteps": timesteps})
    return plan_ssa(SHAPE, prefill(8), changed, 0.25)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.SAR, Code.POW2])
def test_what_goes_with_time_doubles_with_it_and_the_rest_stays(form: Form, code: Code) -> None:
    config = SpikingConfig(form=form, code=code)
    once, twice = spiking(config, 4), spiking(config, 8)
    for before, after in zip(once.layers, twice.layers, strict=True):
        grown = steps_with_time(before, once)
        # What a neuron of a known kind computes is worked out again from what its kind does.
        again = LEAKY if before.kind in ARITHMETIC else ()
        for op, number in before.tally.ops.items():
            if op in again:
                continue
            assert after.tally.ops[op] == number * (2 if op in grown else 1), (before.name, op)


def test_with_one_time_step_analog_traffic_is_taken_as_once_per_call() -> None:
    counts = spiking(SpikingConfig(form=Form.SPIKFORMER), 1)
    grown = steps_with_time(counts.layer("transformer.h.0.attn.qkv_neuron"), counts)
    assert Op.NEURON_UPDATE in grown
    assert Op.ACTIVATION_READ not in grown


def test_the_precisions_of_built_in_hardware_are_offered(make_run: Callable[..., Run]) -> None:
    data = page_data(make_run("45nm-int8", "loihi", "45nm"))
    assert data["families"] == [
        [(p, f"45nm-{p}" if p != "fp32" else "45nm") for p in ("fp32", "fp16", "int8", "int32")],
        [("1-9 bit weights", "loihi")],
    ]
    # Those of the run come first, so the page opens with what was asked for.
    names = [profile["name"] for profile in data["profiles"]]
    assert names == ["45nm-int8", "loihi", "45nm", "45nm-fp16", "45nm-int32"]


def test_a_file_that_is_called_like_a_built_in_profile_has_no_precisions(
    make_run: Callable[..., Run],
) -> None:
    keys = load_profile("45nm").model_dump() | {"title": "My own"}
    run = make_run("45nm")
    own = Run(**{**vars(run), "profiles": (HardwareProfile.model_validate(keys),)})
    assert page_data(own)["families"] == [[("fp32", "45nm")]]
    assert [profile["title"] for profile in page_data(own)["profiles"]] == ["My own"]


def test_counts_are_whole_columns(run: Run) -> None:
    [phase] = page_data(run)["run"]["phases"]
    columns = phase["ssa"]
    assert columns["ops"]["ac"][4] == run.ssa.layers[4].tally.ops.get(Op.AC, 0)
    assert {len(column) for column in columns["ops"].values()} == {len(run.ssa.layers)}
    assert all(columns["steps"][op] for op in ("ac", "neuron_update"))
    assert phase["asa"]["steps"]["mac"] == []


LIBRARIES = json.loads(
    (Path(__file__).parents[3] / "reports/page/assets/vendor.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["name"])
def test_the_libraries_are_those_of_the_list(library: dict[str, object]) -> None:
    from reports.page.assets.vendor import files, integrity

    listed = list(files(library))
    assert any("LICENSE" in path.name for path, _, _ in listed)
    for path, name, expected in listed:
        assert integrity(path.read_bytes()) == expected, name
