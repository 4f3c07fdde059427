from __future__ import annotations

from collections.abc import Callable

import pytest

from neurt.verbs.commands import parse
from neurt.verbs.console import terminal_console


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in this process; returns what it says, and lets its errors through."""

    def run(*words: object) -> str:
        asked = parse([str(word) for word in words])
        asked.run(terminal_console())
        return capsys.readouterr().out

    return run
