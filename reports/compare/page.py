"""Runs side by side as one HTML page, which opens from disk without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from reports.compare.against import labels, measures
from reports.compare.row import Rows
from reports.compare.table import comparison_table
from reports.kit.html import asset, content_policy, rendered, shared_styles
from reports.measured.lines import BOUNDARIES, CAUTION, Line
from reports.measured.picture import beside_picture
from reports.measured.table import beside_table
from reports.shown import Picture

_ASSETS = files("reports") / "compare" / "assets"
#: The style of a picture.
_STYLES = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


def comparison_page(rows: Rows, picture: Picture, lines: Sequence[Line] = ()) -> str:
    """The page: each row against one of them, the picture, the table of all numbers.

    The same comparison gives the same bytes, and all names in it are escaped.

    Args:
        rows: Runs side by side.
        picture: Their picture.
        lines: The same runs beside measured systems, which follow with a picture of their own.
    """
    drawing = _drawing(picture)
    measured = _drawing(Picture(beside_picture(lines))) if lines else ""
    styles = [*shared_styles(), _asset("compare.css")]
    scripts = [asset("theme.js"), _asset("compare.js")]
    drawn = (*_STYLES.findall(drawing), *_STYLES.findall(measured))
    names = labels(rows)
    return rendered(
        _asset("template.html.j2"),
        policy=Markup(content_policy(scripts, dict.fromkeys((*styles, *drawn)))),
        styles=[Markup(style) for style in styles],
        scripts=[Markup(script) for script in scripts],
        labels=names,
        named=list(zip(names, map(rows.differing, rows.rows), strict=True)),
        same=rows.same_text,
        two_machines=rows.caution,
        unit=rows.unit,
        measures=measures(rows),
        table=comparison_table(rows),
        drawing=Markup(drawing),
        measured=beside_table(lines) if lines else None,
        measured_drawing=Markup(measured),
        caution=CAUTION,
        boundaries=BOUNDARIES,
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _drawing(picture: Picture) -> str:
    """A picture without the XML declaration."""
    drawing = picture.svg()
    return drawing[drawing.index("<svg") :]
