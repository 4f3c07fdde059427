from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_thousand_inputs_end_as_they_should() -> None:
    words = ("--inputs", "1000", "--seconds", "10")
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1000 inputs in" in run.stdout
