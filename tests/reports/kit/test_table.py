from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from energy.table import Column, Table
from reports.kit.table import escaped, print_sentence, print_table, to_markdown

TABLE: Table[int] = Table(
    (
        Column("layer", lambda row: f"layer [{row}]", "layer", words=True, key=True),
        *(
            Column(f"x{i}", lambda row, i=i: 10**i * row, f"energy x{i}", "{:,} pJ".format)
            for i in range(6)
        ),
        Column("note", lambda _row: "words that may go on in the next line", "note", words=True),
    ),
    [1, 2],
    "A title",
    strong=lambda row: row == 2,
)


def printed(width: int, table: Table[int] = TABLE) -> list[str]:
    out = io.StringIO()
    print_table(table, Console(file=out, width=width, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_what_has_room_stands_side_by_side() -> None:
    lines = printed(200)
    assert lines[0] == "A title"
    assert " ".join(lines[1].split()) == (
        "layer energy x0 energy x1 energy x2 energy x3 energy x4 energy x5 note"
    )
    assert lines[4].endswith("words that may go on in the next line")


@pytest.mark.parametrize("width", [36, 40, 60, 80])
def test_numbers_are_never_cut_and_keys_stand_in_each_block(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    blocks = sum(line.startswith("layer [1]") for line in lines)
    assert blocks == sum(line.startswith("layer [2]") for line in lines) >= 1
    text = "\n".join(lines)
    assert all(f"{row * 10**i:,} pJ" in text for row in (1, 2) for i in range(6))


def test_blocks_are_of_like_width() -> None:
    rules = [line for line in printed(60) if line.startswith("─")]
    assert len(rules) > 1
    assert max(map(len, rules)) - min(map(len, rules)) <= 15  # one column


def test_a_number_wider_than_the_terminal_is_whole() -> None:
    wide = Table((Column[int]("x", lambda row: 10**30 + row, "x"),), [1])
    assert str(10**30 + 1) in printed(20, wide)


def test_letters_that_take_two_cells_are_all_there() -> None:
    name = "注意力层" + "漢字" * 15  # 34 letters of two cells without a space: 68 cells
    table = Table((Column[str]("x", str, "x", words=True, key=True),), [name])
    assert "".join(printed(40, table)[2:]).replace(" ", "") == name
    out = io.StringIO()
    print_sentence(f"about {name}", Console(file=out, width=40, highlight=False))
    lines = out.getvalue().splitlines()
    assert "".join(lines) == f"about{name}"
    assert max(map(cell_len, lines)) <= 40


def test_a_sentence_keeps_numbers_and_units_together() -> None:
    out = io.StringIO()
    console = Console(file=out, width=20, highlight=False)
    print_sentence("it saves [b] 12345.67 % of 1.5 mJ of x, and more", console)
    lines = out.getvalue().splitlines()
    assert lines == ["it saves [b]", "12345.67 % of 1.5 mJ", "of x, and more"]
    out = io.StringIO()
    print_sentence("a b " * 30, Console(file=out, width=20, soft_wrap=True))
    assert out.getvalue().count("\n") == 1


def test_markdown() -> None:
    table = Table(TABLE.columns[:2], TABLE.rows, strong=TABLE.strong)
    assert to_markdown(table) == (
        "| layer | energy x0 |\n| --- | --: |\n"
        "| layer \\[1\\] | 1 pJ |\n| **layer \\[2\\]** | **2 pJ** |"
    )
    assert escaped("a|b\n<c>") == r"a\|b &lt;c&gt;"
