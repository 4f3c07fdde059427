"""The verdict on claims: on the terminal, and as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from energy.literature.review import Finding, Review
from energy.table import Column, Table, attributes
from reports.kit.files import write_text
from reports.kit.table import print_table


class Line(NamedTuple):
    """A finding of a review; a claim without any has one line."""

    review: Review
    finding: Finding | None


#: Columns of `findings.csv`.
FINDINGS: tuple[Column[Line], ...] = (
    *attributes("review.claim", "model"),
    Column("hw", lambda line: line.review.profile.name),
    *attributes("review", "verdict"),
    Column("fault", lambda line: line.finding and line.finding.fault),
    Column("sentence", lambda line: line.finding and line.finding.sentence),
    Column("checks", lambda line: "; ".join(line.review.checks)),
)

#: Columns on the terminal.
VERDICTS: tuple[Column[Review], ...] = (
    Column("claim", lambda review: review.claim.model, "claim", words=True, key=True),
    Column("hw", lambda review: review.profile.name, "prices of", words=True),
    Column("verdict", lambda review: review.verdict, "verdict", words=True),
    Column(
        "findings",
        lambda review: ", ".join(dict.fromkeys(x.fault for x in review.findings)) or None,
        "findings",
        words=True,
    ),
)


def findings_table(reviews: Sequence[Review]) -> Table[Line]:
    """`findings.csv`: one row per finding, or claim without any."""
    return Table(
        FINDINGS, [Line(review, x) for review in reviews for x in review.findings or (None,)]
    )


def print_reviews(reviews: Sequence[Review], console: Console) -> None:
    """One row per claim, in bold where it is flagged, then each finding as a sentence."""
    print_table(Table(VERDICTS, reviews, strong=lambda review: bool(review.findings)), console)
    for review in reviews:
        for finding in review.findings:
            console.print(f"- {escape(review.claim.model)}: {escape(finding.sentence)}.")
    flagged = sum(bool(review.findings) for review in reviews)
    console.print(
        f"{flagged} of {len(reviews)} claims flagged. A consistent claim agrees with itself and "
        "with its prices; whether its operations were counted rightly is for a count to say."
    )


def write_reviews(reviews: Sequence[Review], path: Path) -> Path:
    """Write the findings as CSV, columns `FINDINGS`.

    Raises:
        reports.kit.files.OutputError: If the file cannot be written.
    """
    return write_text(path, findings_table(reviews).to_csv())
