from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from reports.kit.table import print_table
from reports.training.finetuned import Finetuned, Judged, Reading, stages_table


def reading(
    perplexity: float, kl: float = 0.0, spent: tuple[float, float] | None = None
) -> Reading:
    return Reading(perplexity, kl, 999, *(spent or (None, None)))


RESULT = Finetuned(
    "nano",
    "random(seed=0)",
    [
        Judged("analog", 0, reading(80.0)),
        Judged("converted", 0, reading(200.0, 0.5, (1.25, 0.75))),
        Judged("distilled", 1500, reading(82.0, 0.125, (1.5, 0.8))),
        Judged("analog, same training text", 1500, reading(76.0, 0.25)),
    ],
    [],
    "nano, weights random(seed=0), T = 4",
)


def test_each_change_is_against_the_analog_model_as_it_came() -> None:
    rows = stages_table(RESULT).records()
    # 80 / 80, 200 / 80, 82 / 80, 76 / 80, each minus 1
    assert [row["change"] for row in rows] == pytest.approx([0.0, 1.5, 0.025, -0.05])
    assert {row["against"] for row in rows} == {"analog"}


def test_the_table_is_written_with_every_digit() -> None:
    judged = [Judged("analog", 0, reading(80 / 3))]
    one = Finetuned("nano, small", "local(x)", judged, [], "")
    [row] = csv.DictReader(stages_table(one).to_csv().splitlines())
    assert float(row["perplexity"]) == 80 / 3
    assert (row["model"], row["weights"]) == ("nano, small", "local(x)")


def test_the_printed_table_has_both_absolute_perplexities() -> None:
    text = io.StringIO()
    print_table(stages_table(RESULT), Console(file=text, width=100))
    lines = text.getvalue().splitlines()
    assert lines[0] == "nano, weights random(seed=0), T = 4"
    assert stages_table(RESULT).cells() == [
        ["analog", "0", "80.00", "+0.00 %", "0.0000", "-", "-"],
        ["converted", "0", "200.00", "+150.00 %", "0.5000", "1.250", "75.00 %"],
        ["distilled", "1,500", "82.00", "+2.50 %", "0.1250", "1.500", "80.00 %"],
        ["analog, same training text", "1,500", "76.00", "-5.00 %", "0.2500", "-", "-"],
    ]
    last = "analog, same training text 1,500 76.00 -5.00 % 0.2500 - -"
    assert lines[-1].split() == last.split()


def test_a_text_of_another_kind_has_columns_of_its_own() -> None:
    judged = [
        Judged("analog", 0, reading(80.0), reading(40.0)),
        Judged("converted", 0, reading(100.0, 0.5, (1.0, 0.5)), reading(50.0, 0.25, (1.0, 0.5))),
    ]
    table = stages_table(Finetuned("nano", "random(seed=0)", judged, [], "nano"))
    # 40 / 40 and 50 / 40, each minus 1
    assert [row["other_change"] for row in table.records()] == [0.0, 0.25]
    shown = ["0", "100.00", "+25.00 %", "0.5000", "50.00", "+25.00 %", "0.2500", "1.000", "50.00 %"]
    assert table.cells()[1] == ["converted", *shown]


@pytest.mark.parametrize(
    ("after", "other", "learned"),
    [
        ((90.0, 0.6), (50.0, 0.2), ["the held-out text"]),
        ((90.0, 0.4), (45.0, 0.3), ["the text of another kind"]),
        ((90.0, 0.6), (45.0, 0.3), ["the held-out text", "the text of another kind"]),
        ((90.0, 0.4), (55.0, 0.3), []),  # better, and worse: neither is to be doubted
        ((100.0, 0.6), (50.0, 0.3), []),  # perplexity did not fall
    ],
)
def test_a_lower_perplexity_with_a_higher_divergence_is_said(
    after: tuple[float, float], other: tuple[float, float], learned: list[str]
) -> None:
    spent = (1.0, 0.5)
    judged = [
        Judged("analog", 0, reading(80.0), reading(40.0)),
        Judged("converted", 0, reading(100.0, 0.5, spent), reading(50.0, 0.25, spent)),
        Judged("distilled", 3, reading(*after, spent), reading(*other, spent)),
        Judged("analog, same training text", 3, reading(1.0, 9.0), reading(1.0, 9.0)),
    ]
    said = Finetuned("nano", "random(seed=0)", judged, [], "nano").remarks
    assert [sentence.split(", perplexity fell")[0] for sentence in said] == [
        f"On {text}" for text in learned
    ]
    for sentence in said:
        assert sentence.endswith("has learned the text, not the model.")


def test_what_was_not_trained_has_learned_nothing() -> None:
    judged = [Judged("analog", 0, reading(80.0)), Judged("converted", 0, reading(9.0, 1.0, (1, 1)))]
    assert Finetuned("nano", "random(seed=0)", judged, [], "nano").remarks == []
