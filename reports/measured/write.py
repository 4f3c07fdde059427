"""Write runs beside measured systems."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reports.kit.files import write_text
from reports.kit.pictures import Pictures, draw
from reports.measured.lines import Line
from reports.measured.table import beside_markdown, lines_table


def write_beside(lines: Sequence[Line], out: Path, pictures: Pictures = Pictures.ALL) -> list[Path]:
    """Write `measured.csv`, `measured.md` and the picture into a directory that exists.

    Raises:
        OutputError: If a file cannot be written.
    """
    files = [
        write_text(out / "measured.csv", lines_table(lines).to_csv()),
        write_text(out / "measured.md", beside_markdown(lines)),
    ]
    if pictures is not Pictures.NONE:
        from reports.measured.picture import beside_picture  # matplotlib takes half a second

        files += draw(partial(beside_picture, lines), out / "measured", pictures)
    return files
