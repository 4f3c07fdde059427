"""The files of runs side by side."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reports.compare.comparison import Comparison
from reports.compare.page import comparison_page
from reports.compare.table import lines_table
from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw


def write_comparison(
    comparison: Comparison, out: Path, *, pictures: Pictures = Pictures.ALL, page: bool = True
) -> list[Path]:
    """Write `compare.csv`, `compare.md`, the picture and `compare.html`, which has it inside.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    prepare_directory(out)
    plot = cache(comparison.plot)
    files = [
        write_text(out / "compare.csv", lines_table(comparison).to_csv()),
        write_text(out / "compare.md", comparison.to_markdown()),
        *draw(lambda: plot().figure, out / "compare", pictures),
    ]
    if page:
        files.append(write_text(out / "compare.html", comparison_page(comparison, plot())))
    return files
