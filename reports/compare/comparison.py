"""Several runs side by side, as people get them, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodels.errors import UserError
from hwmodels.given import chosen
from reports.compare.latex import comparison_latex
from reports.compare.page import comparison_page
from reports.compare.row import Rows
from reports.compare.table import comparison_table, lines_table
from reports.kit.files import prepare_directory, write_text
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures, draw
from reports.kit.table import escaped, to_markdown
from reports.measured.lines import BILL, PREDICTED, Line
from reports.measured.write import write_beside
from reports.run.run import Run
from reports.shown import Picture
from reports.sources.run import sources_bib

if TYPE_CHECKING:
    import pandas as pd


class CompareError(UserError, ValueError):
    """Runs that cannot be compared."""


class Comparison(Rows):
    """Runs side by side, with their table and their picture."""

    def to_frame(self) -> pd.DataFrame:
        """One row per run, hardware, block and accounting, with the columns of `compare.csv`."""
        return lines_table(self).to_frame()

    def to_markdown(self) -> str:
        """The table in Markdown, after what is the same in all rows."""
        table = comparison_table(self)
        return f"{escaped(table.title)}.\n\n{to_markdown(table)}\n"

    def to_latex(self, fit: Fit | str = Fit.ONE) -> str:
        r"""A `table` for a paper, to `\input`; it needs the packages booktabs and siunitx.

        Args:
            fit: `one` column of 8.5 cm, or the width of `two`, 17.8 cm, with energies per token.

        Raises:
            ChoiceError: If `fit` is neither.
        """
        return comparison_latex(self, chosen("fit", fit, Fit))

    def plot(self) -> Picture:
        """Energy per token and savings, one line per row."""
        from reports.compare.picture import side_by_side  # matplotlib takes half a second

        return Picture(side_by_side(self))

    def __repr__(self) -> str:
        """The names of the runs."""
        return f"<comparison of {', '.join(self.runs)}>"

    def _repr_html_(self) -> str:
        return comparison_table(self).to_html()


def compare_runs(runs: Mapping[str, Run], *, alone: bool = False) -> Comparison:
    """Put runs side by side, each under the name by which it is given.

    Args:
        runs: By their names.
        alone: Whether one row will do, since others stand beside it that are no runs.

    Raises:
        CompareError: If there are fewer than two rows: one run on one hardware.
    """
    comparison = Comparison(dict(runs))
    if len(comparison.rows) < 2 and not alone:
        raise CompareError(
            f"comparing needs two rows, but there are {len(comparison.rows)}; give two runs, or "
            "one on two hardware profiles, or --measured"
        )
    return comparison


def write_comparison(
    comparison: Comparison,
    out: Path,
    *,
    pictures: Pictures = Pictures.ALL,
    page: bool = True,
    measured: Sequence[Line] = (),
    latex: Fit | None = None,
) -> list[Path]:
    """Write `compare.csv`, `compare.md`, the picture and `compare.html`, which has it inside.

    With lines of `reports.measured.lines.beside` also `measured.csv`, `.md` and their picture; with
    a width of `latex` also `compare.tex`.
    """
    prepare_directory(out)
    plot = cache(comparison.plot)
    shelf = [line.source for line in measured if line.boundary not in (BILL, PREDICTED)]
    files = [
        write_text(out / "compare.csv", lines_table(comparison).to_csv()),
        write_text(out / "compare.md", comparison.to_markdown()),
        write_text(out / "sources.bib", sources_bib(comparison.runs.values(), shelf)),
        *([write_text(out / "compare.tex", comparison.to_latex(latex))] if latex else []),
        *draw(lambda: plot().figure, out / "compare", pictures),
    ]
    if measured:
        files += write_beside(measured, out, pictures)
    if page:
        text = comparison_page(comparison, plot(), measured)
        files.append(write_text(out / "compare.html", text))
    return files
