"""`docs/how-to/nir.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from neurt.nir.conventions import CONVENTIONS
from neurt.nir.exporter import Exporter
from neurt.nir.graph import PRIMITIVES

PAGE = (Path(__file__).parents[3] / "docs/how-to/nir.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The rows of the table whose header begins so, by first cell."""
    _, _, rest = PAGE.partition(f"| {heading} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return {line.split("|")[1].strip(): line for line in lines}


def test_the_page_has_every_primitive() -> None:
    named = {name.strip() for cell in rows("node") for name in cell.split(",")}
    assert named == {*PRIMITIVES, "NIRGraph"}


def test_the_page_has_every_exporter_with_its_time_step() -> None:
    found = rows("`--exporter`")
    assert [*found] == [f"`{exporter}`" for exporter in Exporter]
    for exporter in Exporter:
        convention, row = CONVENTIONS[exporter], found[f"`{exporter}`"]
        [dt] = re.findall(r"`dt` (\S+) s", row)
        assert float(dt) == convention.dt_s
        assert ("at the threshold too" in row) == convention.inclusive
        assert ("is subtracted" in row) == convention.subtracts
