from __future__ import annotations

from pathlib import Path

import pytest

from neurt.config import SpikingConfig
from neurt.passes import PlanError
from neurt.planning import run_plan
from neurt.request import PlanRequest

pytestmark = pytest.mark.usefixtures("alone")


def test_a_plan_is_a_run_of_both_variants() -> None:
    request = PlanRequest(
        model="gpt2-small",
        hw=("45nm", "loihi"),
        spiking=SpikingConfig(timesteps=3),
        out=Path("out"),
    )
    run = run_plan(request)
    assert run.command == "plan"
    assert (run.asa.variant, run.ssa.variant) == ("asa", "ssa")
    assert run.asa.model == run.ssa.model == "gpt2-small"
    assert (run.asa.timesteps, run.ssa.timesteps) == (1, 3)
    assert [profile.name for profile in run.profiles] == ["45nm", "loihi"]
    assert run.settings["spike_rate"] == 0.2
    assert run.settings["spiking"] == SpikingConfig(timesteps=3).model_dump(mode="json")
    assert "python" in run.versions


def test_a_hub_id_whose_sizes_are_not_cached_cannot_be_planned() -> None:
    request = PlanRequest(model="someone/some-gpt2", hw=("45nm",), out=Path("out"))
    with pytest.raises(PlanError, match="'someone/some-gpt2' are not in the local cache"):
        run_plan(request)
