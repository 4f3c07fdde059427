"""Energy per token over batches and contexts, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hwmodels.pair import Machine, recorded
from reports.kit.files import prepare_directory, write_json, write_text
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.sizes.grid import SizeGrid
from reports.sizes.table import sizes_table


def write_sizes(
    grids: Sequence[SizeGrid],
    record: Mapping[str, object],
    directory: Path,
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `sizes.csv`, a picture of each hardware, and last the record `sizes.json`.

    Args:
        grids: One for each hardware.
        record: What was asked for, with which versions, and when.
        directory: Where to.
        pictures: Formats of the pictures.
    """
    prepare_directory(directory)
    table = sizes_table(grids)
    files = [write_text(directory / "sizes.csv", table.to_csv())]
    if pictures is not Pictures.NONE:
        from reports.sizes.picture import is_drawable, sizes_picture  # matplotlib: half a second

        for grid, slug in zip(grids, slugs(x.profile.name for x in grids), strict=True):
            if is_drawable(grid):
                files += draw(partial(sizes_picture, grid), directory / f"sizes_{slug}", pictures)
    hardware = {grid.profile.name: _recorded(grid.profile) for grid in grids}
    content = {**record, "hardware": hardware, "sizes": table.records()}
    files.append(write_json(directory / "sizes.json", content))
    return files


def _recorded(machine: Machine) -> Mapping[str, object]:
    """The profile, or those of `asa` and `ssa`."""
    [found] = recorded(machine).values()
    return {**found}
