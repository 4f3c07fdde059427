from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from reports.kit.progress import progress_bars


def said(*, terminal: bool) -> str:
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    with progress_bars(console) as advance:
        advance("calibrating", 1, 2)
        advance("measuring", 3, 7)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_no_terminal_no_bars() -> None:
    assert said(terminal=False) == ""


def test_a_terminal_shows_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal gets no bars
    shown = said(terminal=True)
    for part in ("starting torch", "calibrating", "1/2", "measuring", "3/7"):
        assert part in shown
