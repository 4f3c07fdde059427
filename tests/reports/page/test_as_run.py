"""What the page shows as it was run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from energy import Label
from reports import Run
from reports.page.as_run import as_run, intervals, steps_table
from reports.run.steps import StepCount
from reports.views.headline import Headline


def test_intervals_are_those_that_are_printed(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", "loihi")
    found = intervals(run)
    assert list(found) == ["45nm", "loihi"]
    printed = Headline(*run.estimates["45nm"], "unfused", "attention").interval
    assert printed is not None
    assert found["45nm"]["unfused"]["attention"] == (printed.low, printed.high)
    assert list(found["45nm"]["fused"]) == ["attention", "ffn", ""]
    # Loihi has no price for a MAC: no saving, and nothing that could lie anywhere.
    assert found["loihi"]["fused"] == {}


def test_spikes_by_time_step_add_up() -> None:
    def sent(block: str, step: int, spikes: int, slots: int) -> StepCount:
        return StepCount("n", Label(block, "neuron", 0), step, spikes, slots)

    table = steps_table(
        [
            *(sent("attention", 0, 2, 8), sent("attention", 1, 4, 8)),
            *(sent("ffn", 0, 1, 24), sent("ffn", 1, 0, 24), sent("ffn", 0, 3, 8)),
        ]
    )
    # Step 1: 2 / 8, (1 + 3) / 32, 6 / 40; step 2: 4 / 8, 0 / 24, 4 / 32;
    # both: 6 / 16, 4 / 56, 10 / 72.
    assert table.records() == [
        {"step": "1", "attention_rate": 0.25, "ffn_rate": 0.125, "model_rate": 0.15},
        {"step": "2", "attention_rate": 0.5, "ffn_rate": 0.0, "model_rate": 0.125},
        {"step": "all", "attention_rate": 6 / 16, "ffn_rate": 4 / 56, "model_rate": 10 / 72},
    ]


@pytest.mark.parametrize("hw", [("45nm",), ("45nm", "loihi")])
def test_each_hardware_has_its_tables(make_run: Callable[..., Run], hw: tuple[str, ...]) -> None:
    shown = list(as_run(make_run(*hw)))
    # No steps were counted, and neither hardware says how fast it is.
    assert [len(part.tables) for part in shown] == [len(hw)] * 4
    titles = [table.title for part in shown for table in part.tables]
    assert len(set(titles)) == len(titles)
