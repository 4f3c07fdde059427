from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sweeps import Ask, Evaluations

import neurt.grid.sweep
from neurt.requests.sweep import SweepRequest


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    # A copy that a test may change.
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


@pytest.fixture
def ask(model: Path, tmp_path: Path) -> Ask:
    def make(**changes: Any) -> SweepRequest:
        grid = {"codes": ("sar", "pow2"), "forms": ("softmax",), "timesteps": (1, 2)}
        reading = {"max_tokens": 64, "window": 16, "thresholds": (1.0,), "resolutions": (1.0,)}
        return SweepRequest(
            **{"model": str(model), "out": tmp_path / "out"} | grid | reading | changes
        )

    return make


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Evaluations:
    fake = Evaluations()
    monkeypatch.setattr(neurt.grid.sweep, "evaluate_point", fake)
    return fake
