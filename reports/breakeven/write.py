"""Break-evens as files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reports.breakeven.case import Case
from reports.breakeven.table import breakeven_table, thresholds_table
from reports.kit.files import prepare_directory, write_text
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs


def write_breakeven(
    cases: Sequence[Case],
    directory: Path,
    *,
    pictures: Pictures = Pictures.ALL,
    fit: Fit = Fit.TWO,
) -> list[Path]:
    """Write `breakeven.csv`, `thresholds.csv` and a picture of each hardware.

    The picture is that of the run where there is one, else of the model, else of the last shape.
    """
    prepare_directory(directory)
    files = [
        write_text(directory / "breakeven.csv", breakeven_table(cases).to_csv()),
        write_text(directory / "thresholds.csv", thresholds_table().to_csv()),
    ]
    if pictures is not Pictures.NONE:
        from reports.breakeven.picture import breakeven_picture  # matplotlib takes half a second

        shown = {case.asa.profile.name: case for case in cases}
        for case, slug in zip(shown.values(), slugs(shown), strict=True):
            stem = directory / f"breakeven_{slug}"
            files += draw(partial(breakeven_picture, case, fit), stem, pictures)
    return files
