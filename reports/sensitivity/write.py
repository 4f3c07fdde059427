"""The files of `sensitivity`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reports.kit.files import prepare_directory, slugs, write_text
from reports.kit.pictures import Pictures, draw
from reports.sensitivity.study import Study
from reports.sensitivity.table import sensitivity_table


def write_sensitivity(
    studies: Sequence[Study],
    directory: Path,
    block: str | None = "attention",
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `sensitivity.csv` and, for each hardware, `tornado_HW.png` and `.svg`.

    Args:
        studies: One per hardware.
        directory: Where to; made if need be.
        block: What the pictures show; the table has all blocks. Without a saving no picture.
        pictures: The formats of the pictures.

    Returns:
        The files.

    Raises:
        OutputError: If they cannot be written.
        SensitivityError: If no layer is of that block.
    """
    shown = [study for study in studies if study.of(block)]
    prepare_directory(directory)
    files = [write_text(directory / "sensitivity.csv", sensitivity_table(studies).to_csv())]
    if pictures is not Pictures.NONE:
        from reports.sensitivity.picture import tornado  # matplotlib takes half a second

        names = slugs(study.asa.profile.name for study in shown)
        for study, hw in zip(shown, names, strict=True):
            files += draw(partial(tornado, study, block), directory / f"tornado_{hw}", pictures)
    return files
