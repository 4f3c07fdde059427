"""Which files a picture becomes, and writing them. No matplotlib until something is drawn."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reports.kit.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pictures(StrEnum):
    """The formats in which pictures are written."""

    NONE = "none"
    PNG = "png"
    SVG = "svg"
    PDF = "pdf"  #: for LaTeX
    ALL = "all"  #: PNG and SVG, which pages and screens show

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files of one picture, in the order in which they are written."""
        return {Pictures.NONE: (), Pictures.ALL: ("png", "svg")}.get(self, (self.value,))


def draw(figure: Callable[[], Figure], stem: Path, pictures: Pictures = Pictures.ALL) -> list[Path]:
    """Write a figure in each format; it is drawn once, or never where there is nothing to write."""
    if pictures is Pictures.NONE:
        return []
    from reports.kit import style  # matplotlib takes half a second to import

    save = partial(style.save, figure())
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in pictures.suffixes]
    return [write_atomically(path, save) for path in paths]
