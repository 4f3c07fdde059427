from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from reports import Run
from reports.compare.comparison import compare_runs
from reports.compare.table import print_comparison


def test_a_comparison_says_what_differs_and_what_is_saved(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", "loihi")
    odd = replace(run, ssa=replace(run.ssa, model="[red]odd[/red]"))
    out = io.StringIO()
    found = compare_runs({"first": run, "[bold]second": odd})
    print_comparison(found, Console(file=out, width=132))
    said = out.getvalue()
    assert found.same_text in " ".join(said.split())
    assert "[bold]second" in said
    assert "[red]odd[/red], 45nm" in said
    assert "unpriced" in said
    low = found.rows[0].parts["compute", "attention"].spread
    assert low is not None
    assert f"{100 * low.low:.1f} to {100 * low.high:.1f}" in said
