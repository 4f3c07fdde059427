from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from energy import estimate
from energy.compare.sensitivity import SensitivityError
from hwmodels import load_profile
from reports import Run
from reports.sensitivity.study import Study
from reports.sensitivity.table import print_sensitivity


def said(run: Run, hw: str, block: str | None = "attention") -> str:
    profile = load_profile(hw)
    study = Study(estimate(run.asa, profile), estimate(run.ssa, profile), 50, 7)
    text = io.StringIO()
    print_sensitivity(study, Console(file=text, width=160), block)
    return " ".join(text.getvalue().split())


def test_each_saving_has_its_interval_and_the_constants_their_ranges(
    make_run: Callable[..., Run],
) -> None:
    found = said(make_run(), "45nm")
    assert "50 samples, seed 7" in found
    assert found.count("attention MACs and ACs") == 1
    assert found.count("model all priced, fused") == found.count("model all priced, unfused") == 1
    assert "attention block, all priced, unfused: what moves the saving" in found
    assert "prices.mac 4.6 pJ 3.538 to 5.98 " in found
    assert "'our choice': chosen by this project from the evidence grade" in found
    assert "constants drawn independently" in found
    assert "ffn block, all priced, fused: what moves" not in found
    assert "model, all priced, fused: what moves the saving" in said(make_run(), "45nm", None)


def test_without_a_saving_what_has_no_price_is_named(make_run: Callable[..., Run]) -> None:
    found = said(make_run(), "loihi")
    assert "attention MACs and ACs - - - - - mac" in found
    assert "what moves the saving" not in found
    assert "our choice" not in found


def test_a_block_without_layers_is_named(make_run: Callable[..., Run]) -> None:
    with pytest.raises(SensitivityError, match="'mlp'; choose --block model"):
        said(make_run(), "45nm", "mlp")
