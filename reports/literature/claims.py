"""The verdict on claims: on the terminal, and as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

from energy.literature.review import Finding, Review
from energy.table import Column, Table, at
from reports.kit.table import print_sentence, print_table


class Line(NamedTuple):
    """A finding of a review; a claim without any has one line."""

    review: Review
    finding: Finding | None


#: Columns of `findings.csv`, the first four on the terminal too.
COLUMNS: tuple[Column[Line], ...] = (
    Column("model", at("review.claim.model"), "claim", words=True, key=True),
    Column("hw", at("review.profile.name"), "prices of", words=True),
    Column("verdict", at("review.verdict"), "verdict", words=True),
    Column("fault", at("finding.fault"), "finding", words=True),
    Column("sentence", at("finding.sentence")),
    Column("checks", lambda line: "; ".join(line.review.checks)),
)


def findings_table(reviews: Sequence[Review]) -> Table[Line]:
    """One row per finding, or claim without any."""
    lines = [Line(review, x) for review in reviews for x in review.findings or (None,)]
    return Table(COLUMNS, lines, strong=lambda line: line.finding is not None)


def print_reviews(reviews: Sequence[Review], console: Console) -> None:
    """Print a line per finding, in bold, or claim without any; then each finding as a sentence."""
    print_table(findings_table(reviews), console)
    for review in reviews:
        for finding in review.findings:
            print_sentence(f"- {review.claim.model}: {finding.sentence}.", console)
    flagged = sum(bool(review.findings) for review in reviews)
    print_sentence(
        f"{flagged} of {len(reviews)} claims flagged. A consistent claim agrees with itself and "
        "with its prices; whether its operations were counted rightly is for a count to say.",
        console,
    )
