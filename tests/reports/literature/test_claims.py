from __future__ import annotations

import csv
import io

from rich.console import Console

from energy.literature.claims import Claim
from energy.literature.review import review
from hwmodels import load_profile
from reports.literature.claims import findings_table, print_reviews

REVIEWS = [
    review(claim, load_profile("45nm"))
    for claim in (
        Claim("good [1]", ann_ops=1e9, ann_energy_mj=4.6),
        Claim("bad [2]", ann_ops=1e9, ann_energy_mj=9.2, snn_energy_mj=1.0, ratio=3.0),
        Claim("silent"),
    )
]


def said() -> str:
    console = Console(file=io.StringIO(), width=160)
    print_reviews(REVIEWS, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_claim_has_a_verdict_and_each_finding_a_sentence() -> None:
    text = said()
    for words in ("good [1]", "consistent", "flagged", "nothing to check", "1 of 3 claims flagged"):
        assert words in text
    assert "ratio is not that of the energies\n" in text
    assert "- bad [2]: ANN energy 9.2 mJ charges the 4.6 pJ of a MAC" in text


def test_the_findings_are_a_table() -> None:
    rows = list(csv.DictReader(findings_table(REVIEWS).to_csv().splitlines()))
    assert [(row["model"], row["verdict"], row["fault"]) for row in rows] == [
        ("good [1]", "consistent", ""),
        ("bad [2]", "flagged", "FLOPs priced as MACs"),
        ("bad [2]", "flagged", "ratio is not that of the energies"),
        ("silent", "nothing to check", ""),
    ]
    assert rows[0]["checks"] == "energy is not price x operations; FLOPs priced as MACs"
