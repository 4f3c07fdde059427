"""Runs side by side as one HTML page, which opens from disk without a network."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from reports.shown import Picture

if TYPE_CHECKING:
    from reports.compare.comparison import Comparison

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas; }
figure { margin: 2rem 0; background: #fff; padding: .5rem; }
svg { max-width: 100%; height: auto; }
"""


def comparison_page(found: Comparison, picture: Picture) -> str:
    """The page: what is the same in all rows, the table, the picture.

    Args:
        found: The comparison.
        picture: As `found.plot()` has made it.

    Returns:
        HTML. The same comparison gives the same bytes, and all names in it are escaped.
    """
    headings, lines = found.cells()
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in headings)
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in lines
    )
    drawing = picture.svg()
    drawing = drawing[drawing.index("<svg") :]  # without the XML declaration
    label = "Energy per token and savings of each row, as in the table"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Runs side by side</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Runs side by side</h1>
<p>The same in all rows: {html.escape(found.same_text)}.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of the runs">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<figure role="img" aria-label="{label}">
{drawing}</figure>
<p>Intervals: where 5 to 95 % of the savings lie if each constant of the hardware may be anywhere in
its range. Energy per token is that of the whole run over the tokens it takes in.</p>
</main>
</body>
</html>
"""
