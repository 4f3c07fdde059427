"""Maps as files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.map.cells import EnergyMap
from reports.map.table import map_table


def write_maps(
    maps: Sequence[EnergyMap], directory: Path, *, pictures: Pictures = Pictures.ALL
) -> list[Path]:
    """Write `map.csv` and a picture of each hardware."""
    prepare_directory(directory)
    files = [write_text(directory / "map.csv", map_table(maps).to_csv())]
    if pictures is not Pictures.NONE:
        from reports.map.picture import map_picture  # matplotlib takes half a second

        for found, slug in zip(maps, slugs(x.profile.name for x in maps), strict=True):
            files += draw(partial(map_picture, found), directory / f"map_{slug}", pictures)
    return files
