"""Every terminal table of the product, as wide as terminals are: nothing is cut or split."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from energy import Counts
from reports import Run
from reports.count.run import CountRun
from reports.count.terminal import print_count
from reports.views.terminal import print_bills, print_run

#: Prints a screen, with the fixtures that it asks for.
Screen = Callable[[pytest.FixtureRequest, Console], None]


def large(counts: Counts) -> Counts:
    """The same with numbers of a large model."""

    def times(number: float) -> float:
        return number * 1_234_567_891

    return replace(
        counts,
        layers=tuple(
            replace(
                x,
                tally=x.tally._replace(
                    ops={op: times(n) for op, n in x.tally.ops.items()},
                    dense_macs=times(x.tally.dense_macs),
                ),
            )
            for x in counts.layers
        ),
    )


def of_run(fixtures: pytest.FixtureRequest, console: Console, *, details: bool) -> None:
    run: Run = fixtures.getfixturevalue("run")
    run = replace(run, asa=large(run.asa), ssa=large(run.ssa))
    print_run(run, console, details=details, written=[Path("runs/a") / "report.html"])


def of_count(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    counted = CountRun(large(run.asa), run.profiles, {}, {}, "now")
    print_count(counted, console, details=True)


def of_price(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    print_bills([bill for pair in run.estimates.values() for bill in pair], console)


SCREENS: dict[str, Screen] = {
    "run": lambda fixtures, console: of_run(fixtures, console, details=False),
    "run, details": lambda fixtures, console: of_run(fixtures, console, details=True),
    "count": of_count,
    "price": of_price,
}


def shown(screen: Screen, fixtures: pytest.FixtureRequest, width: int) -> str:
    out = io.StringIO()
    screen(fixtures, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 132])
@pytest.mark.parametrize("name", SCREENS)
def test_nothing_is_cut_or_split(request: pytest.FixtureRequest, name: str, width: int) -> None:
    narrow, wide = (shown(SCREENS[name], request, x) for x in (width, 1000))
    assert "…" not in narrow
    # A number, a word or a label that was cut or split would be other words.
    words, expected = (set(re.sub("─+", " ", text).split()) for text in (narrow, wide))
    assert words == expected
    lines = narrow.splitlines()
    assert max(map(len, lines)) <= width
    # Nor is a number parted from its unit.
    assert [x for x in lines if re.match(r"\s*(%|[pnµm]?J)(\s|$)", x)] == []
