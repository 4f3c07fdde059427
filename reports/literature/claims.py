"""The verdict on claims: on the terminal, and as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy.literature.review import Review
from reports.kit.files import write_text

#: Columns of the CSV file, in order; frozen by a test. A claim without a finding has one row.
FINDING_COLUMNS = ("model", "hw", "verdict", "fault", "sentence", "checks")

_STYLES = {"flagged": "red", "consistent": "green", "nothing to check": "yellow"}


def print_reviews(reviews: Sequence[Review], console: Console) -> None:
    """One row per claim, then each finding as a sentence."""
    table = Table()
    for heading in ("claim", "prices of", "verdict", "findings"):
        table.add_column(heading)
    for one in reviews:
        style = _STYLES[one.verdict]
        faults = dict.fromkeys(str(found.fault) for found in one.findings)
        table.add_row(
            escape(one.claim.model),
            escape(one.profile.name),
            f"[{style}]{one.verdict}[/{style}]",
            ", ".join(faults) or "-",
        )
    console.print(table)
    for one in reviews:
        for found in one.findings:
            console.print(f"- {escape(one.claim.model)}: {escape(found.sentence)}.")
    flagged = sum(bool(one.findings) for one in reviews)
    console.print(
        f"{flagged} of {len(reviews)} claims flagged. A consistent claim agrees with itself and "
        "with its prices; whether its operations were counted rightly is for a count to say."
    )


def write_reviews(reviews: Sequence[Review], path: Path) -> Path:
    """Write the findings as CSV, columns `FINDING_COLUMNS`.

    Raises:
        reports.kit.files.OutputError: If the file cannot be written.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FINDING_COLUMNS)
    for one in reviews:
        about = one.claim.model, one.profile.name, one.verdict
        checks = "; ".join(one.checks)
        for fault, sentence in [(f.fault.value, f.sentence) for f in one.findings] or [("", "")]:
            writer.writerow([*about, fault, sentence, checks])
    return write_text(path, out.getvalue())
