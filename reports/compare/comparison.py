"""Several runs side by side, as people get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hwmodels.errors import UserError
from reports.compare.row import Rows
from reports.compare.table import comparison_table, lines_table
from reports.kit.table import escaped, to_markdown
from reports.run.run import Run
from reports.shown import Picture

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

    def plot(self) -> Picture:
        """Energy per token and savings, one line per row."""
        from reports.compare.picture import side_by_side  # matplotlib takes half a second

        return Picture(side_by_side(self))

    def __repr__(self) -> str:
        """The names of the runs."""
        return f"<comparison of {', '.join(self.runs)}>"

    def _repr_html_(self) -> str:
        return comparison_table(self).to_html()


def compare_runs(runs: Mapping[str, Run]) -> Comparison:
    """Put runs side by side.

    Args:
        runs: By the name that each shall have.

    Raises:
        CompareError: If there are fewer than two rows: one run on one hardware.
    """
    comparison = Comparison(dict(runs))
    if len(comparison.rows) < 2:
        raise CompareError(
            f"comparing needs two rows, but there are {len(comparison.rows)}; give two runs, or "
            "one on two hardware profiles"
        )
    return comparison
