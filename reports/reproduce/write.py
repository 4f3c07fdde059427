"""The files of `reproduce`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.reproduce.rows import Reproduction
from reports.reproduce.table import reproduce_latex, reproduce_markdown


def write_reproduction(
    reproduction: Reproduction, directory: Path, *, pictures: Pictures = Pictures.ALL
) -> list[Path]:
    """Write `reproduce.csv`, `.md`, `.tex`, `.png` and `.svg`.

    Raises:
        OutputError: If they cannot be written.
    """
    prepare_directory(directory)
    files = [
        write_text(directory / "reproduce.csv", reproduction.table.to_csv()),
        write_text(directory / "reproduce.md", reproduce_markdown(reproduction)),
        write_text(directory / "reproduce.tex", reproduce_latex(reproduction)),
    ]
    if pictures is not Pictures.NONE:
        from reports.reproduce.picture import reproduce_picture  # matplotlib takes half a second

        figure = partial(reproduce_picture, reproduction)
        files += draw(figure, directory / "reproduce", pictures)
    return files
