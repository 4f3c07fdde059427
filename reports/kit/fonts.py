"""Fonts for names in any script: the one of all pictures, and one of the system for what it lacks.

A picture without such names is drawn with the first alone, which matplotlib brings along, and so
has the same bytes on every machine. A character that no font has is drawn as a box.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import Formatter

from hwmodels.plain import printable_lines

#: The font of all pictures.
FAMILY = "DejaVu Sans"


def dress(figure: Figure) -> None:
    """Write control characters as their escapes, and give each text fonts that have the rest."""
    for axis in _axes(figure):
        if any(_hidden(label) for label in axis.get_ticklabels()):
            axis.set_major_formatter(partial(_in_escapes, axis.get_major_formatter()))
    for text in _texts(figure):
        if _hidden(text):
            text.set_text(printable_lines(text.get_text()))
        if (families := families_for(text.get_text())) != [FAMILY]:
            text.set_fontfamily(families)


def families_for(text: str) -> list[str]:
    """The font of all pictures, and before boxes are drawn the one that has most of the rest."""
    missing = frozenset(c for c in text if not c.isascii() and not _has(_path(FAMILY), c))
    other = _fallback(missing) if missing else None
    return [FAMILY, *([other] if other else [])]


def advance(character: str, size: float) -> float:
    """Points to the next character, in the font that `dress` gives it."""
    families = families_for(character)
    font = get_font(_path(families[-1]))
    if not font.get_char_index(ord(character)):
        return size  # a box is narrower
    font.set_size(size, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536


def _texts(figure: Figure) -> Iterator[Text]:
    yield from figure.findobj(Text)
    for axis in _axes(figure):  # ticks have no text before they are drawn
        yield from axis.get_ticklabels(which="both")


def _axes(figure: Figure) -> Iterator[Axis]:
    for axes in figure.axes:
        yield from (axes.xaxis, axes.yaxis)


def _hidden(text: Text) -> bool:
    """Whether it has characters that no picture shows, and that no SVG may hold."""
    return printable_lines(text.get_text()) != text.get_text()


def _in_escapes(label: Formatter, value: float, place: int) -> str:
    return printable_lines(label(value, place))


@cache
def _fallback(missing: frozenset[str]) -> str | None:
    """The upright font of the system that has most of the characters; none where none has any."""
    upright = [
        font
        for font in fontManager.ttflist
        if font.style == "normal" and not font.name.startswith("Last Resort")  # boxes alone
    ]
    ordered = sorted(upright, key=lambda font: (abs(int(font.weight) - 400), font.name))
    best = max(ordered, key=lambda font: _covers(font.fname, missing), default=None)
    return best.name if best is not None and _covers(best.fname, missing) else None


def _covers(path: str, characters: Iterable[str]) -> int:
    return sum(_has(path, character) for character in characters)


@cache
def _has(path: str, character: str) -> bool:
    try:
        return bool(get_font(path).get_char_index(ord(character)))
    except (OSError, RuntimeError):  # a font that is gone or damaged
        return False


@cache
def _path(family: str) -> str:
    return findfont(FontProperties(family=[family]))
