from __future__ import annotations

import sys

import pytest

from neurt.verbs.console import PIPE_COLUMNS, terminal_console


def test_a_pipe_gets_wide_tables_and_unbroken_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = terminal_console()
    assert console.width == PIPE_COLUMNS
    console.print("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("said", "columns"), [("80", 80), ("0", PIPE_COLUMNS), ("x", PIPE_COLUMNS), ("7", 20)]
)
def test_a_pipe_is_as_wide_as_somebody_says(
    said: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert terminal_console().width == columns


def test_a_terminal_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "77")
    assert terminal_console().width == 77
