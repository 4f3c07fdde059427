"""Runs side by side as one HTML page, which opens from disk without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from reports.compare.row import Rows
from reports.compare.table import comparison_table
from reports.kit.html import content_policy, environment
from reports.measured.lines import BOUNDARIES, CAUTION, Line
from reports.measured.picture import beside_picture
from reports.measured.table import beside_table
from reports.shown import Picture

#: The style of a picture.
_STYLES = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
h2 { font-size: 1.15rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas; }
figure { margin: 2rem 0; background: #fff; padding: .5rem; }
svg { max-width: 100%; height: auto; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>Runs side by side</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>Runs side by side</h1>
<div class="scroll" tabindex="0" role="region" aria-label="Table of the runs">
{{ table }}
</div>
<figure role="img" aria-label="Energy per token and savings of each row, as in the table">
{{ drawing }}</figure>
<p>Intervals: where 5 to 95 % of the savings lie if each constant of the hardware may be anywhere in
its range. Energy per token is that of the whole run over the tokens it takes in.</p>
{% if measured %}
<h2>Beside measured systems</h2>
<p>{{ caution }}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of measured systems">
{{ measured }}
</div>
<figure role="img" aria-label="Energy per token of runs and of measured systems, as in the table">
{{ measured_drawing }}</figure>
<p>Inside: {{ boundaries }}.</p>
{% endif %}
</main>
</body>
</html>
"""


def comparison_page(rows: Rows, picture: Picture, lines: Sequence[Line] = ()) -> str:
    """The page: the table under what is the same in all rows, and the picture.

    The same comparison gives the same bytes, and all names in it are escaped.

    Args:
        rows: Runs side by side.
        picture: Their picture.
        lines: The same runs beside measured systems, which follow with a picture of their own.
    """
    drawing = _drawing(picture)
    measured = _drawing(Picture(beside_picture(lines))) if lines else ""
    styles = dict.fromkeys((_STYLE, *_STYLES.findall(drawing), *_STYLES.findall(measured)))
    return (
        environment()
        .from_string(_PAGE)
        .render(
            policy=Markup(content_policy(styles=styles)),
            style=Markup(_STYLE),
            table=Markup(comparison_table(rows).to_html()),
            drawing=Markup(drawing),
            measured=Markup(beside_table(lines).to_html() if lines else ""),
            measured_drawing=Markup(measured),
            caution=CAUTION,
            boundaries=BOUNDARIES,
        )
    )


def _drawing(picture: Picture) -> str:
    """A picture without the XML declaration."""
    drawing = picture.svg()
    return drawing[drawing.index("<svg") :]
