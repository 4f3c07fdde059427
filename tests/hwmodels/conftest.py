from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
name = "mine"
title = "A chip of mine"
precision = "fp32"
value_bytes = 4

[placement]
weights = "ram"

[included]
spike = "inside the mac"

[prices.mac]
pj = 2.0
source = "a bench"
evidence = "measured"

[memory.ram]
read_pj_per_byte = 1.0
write_pj_per_byte = 3.0
source = "a bench"
evidence = "measured"
"""


@pytest.fixture(scope="session")
def good() -> str:
    # A profile with one price and one memory, in which a test breaks what it is about.
    return GOOD


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
