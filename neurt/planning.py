"""The verb `plan`: from a request to a run, without torch."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from hwmodels import load_profiles
from neurt.config import SpikingConfig
from neurt.passes import PlanError, check_pass
from neurt.plan import plan_asa
from neurt.plan_spiking import plan_ssa
from neurt.request import PassRequest, PlanRequest
from neurt.source import resolve
from reports.run import Run


def run_plan(request: PlanRequest) -> Run:
    """Count both variants in closed form.

    Raises:
        ProfileError: If a hardware profile cannot be loaded.
        ModelError: If the model is unknown or its sizes are not at hand.
        PlanError: If the model cannot do the pass.
    """
    profiles = load_profiles(request.hw)
    source = resolve(request.model)
    if source.shape is None:
        raise PlanError(
            f"the sizes of '{request.model}' are not in the local cache; give a directory with its "
            "config.json"
        )
    what, conventions = request.what, request.conventions
    check_pass(what, source.shape, request.model)
    about = {"model": source.name, "weights": "none(closed form)"}
    return Run(
        "plan",
        plan_asa(source.shape, what, conventions, **about),
        plan_ssa(source.shape, what, request.spiking, request.spike_rate, conventions, **about),
        profiles,
        settings(request, request.spiking) | {"spike_rate": request.spike_rate},
        versions(),
        now(),
    )


def settings(request: PassRequest, spiking: SpikingConfig) -> dict[str, object]:
    """What was asked for and how the model was converted, for `run.json`."""
    asked = request.model_dump(mode="json", exclude={"out", "model", "hw"}, exclude_none=True)
    conversion = spiking.model_dump(mode="json")
    return asked | {"timesteps": spiking.timesteps, "spiking": conversion}


def versions() -> dict[str, str]:
    """Versions of this package and of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in ("neurt-energy", "torch", "transformers", "fvcore", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def now() -> str:
    """The time in ISO format, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
