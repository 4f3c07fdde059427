"""Values that a reader may trip over, and changes that put them into trees, tables and bytes."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

#: A string that starts so is written into JSON and TOML as it is, without quotes.
RAW = "@raw:"
#: Longer than any number that Python writes.
HUGE = "1" + "0" * 400

#: What must reach no terminal and no page as it is; `<fuzz` is looked for in pages.
HOSTILE = (
    *("\x1b[31mred", "\x1b]0;title\x07", "\u202egnp.exe", "a\rb", "a\nb", "nul\x00", "\x9b2J"),
    *("<fuzz onload=x>", "=cmd|' /C calc'!A0", "[bold]", "[/nothing]", "$\\frac{", "%s{0}{x}"),
    *("\\", '"', "'", ",", ";", "|", "`", "模型", "𝔘𝔫", "e\u0301", "../up", "/dev/zero", "."),
)
WORDS = (*HOSTILE, "", " ", "true", "none", "0", "-1", "1e400", "1_000", "٣", "0x10", "x" * 5000)
NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 64, 65, 255, 2**31, 2**63, 2**64, 10**19, 10**30),
    *(0.5, 1.5, -0.5, -0.0, 5e-324, 5e-13, 1e-30, 1e30, 1e308, 1.7976931348623157e308, -1e308),
    *(float("nan"), float("inf"), -float("inf"), f"{RAW}{HUGE}", f"{RAW}1e400"),
)
OTHERS = (
    *(True, False, None, [], {}, [[]], {"a": {}}, [1, "a", None], {"": 0}),
    *(RAW + "[" * 150 + "]" * 150, RAW + "[" * 100_000, RAW + '{"a":' * 150 + "0" + "}" * 150),
)
#: Digits and number forms of other habits, for cells of tables.
CELLS = (
    *("0", "1", "-1", "-0", "0.5", "1e3", "1e308", "1e-320", "1e400", "-1e400", HUGE, "9" * 25),
    *("nan", "inf", "-Infinity", "1_000", "٣", "１２", "0x10", "1,5", "1.000,5", "1 000", "2.75G"),
    *("True", "None", "--", "10%", "1/2", " 5 ", "+5", "5.", ".5", "1e", "1000000000"),
)


def nasty(random: Random) -> Any:
    """A value out of all."""
    return random.choice(random.choice((WORDS, NUMBERS, NUMBERS, OTHERS)))


def shown(value: object) -> str:
    """A value in a line that says what was changed."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:50]}...{text[-7:]}"


# Trees, as JSON and TOML hold them


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def change_tree(random: Random, tree: Any) -> tuple[Any, str]:
    """Replace, leave out, double, rename, wrap or exchange one value of a tree."""
    root = {"": copy.deepcopy(tree)}
    # A value is drawn near the top as often as in the long lists below.
    depth = random.choice(sorted({len(place) for place in places(root)}))
    place = random.choice([place for place in places(root) if len(place) == depth])
    inside: Any = root
    for step in place[:-1]:
        inside = inside[step]
    key = place[-1]
    how = random.choice(("replace",) * 6 + ("delete", "rename", "wrap", "copy"))
    was, new = inside[key], nasty(random)
    if how == "wrap":
        new = [was]
    elif how == "copy":
        new = copy.deepcopy(_at(root, random.choice([*places(root)])))
    if how == "rename" and isinstance(inside, dict) and inside is not root:
        del inside[key]
        new, was = was, ""
        key = random.choice((str(key) + "x", str(key).upper(), *HOSTILE))
    if how == "delete":
        del inside[key]
        return root.get("", {}), f"{_dotted(place)} is left out"
    inside[key] = new
    return root.get("", new), f"{_dotted(place)}: {how} {shown(was)} -> {shown(new)}"


def _at(tree: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def _dotted(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place[1:])) or "everything"


def put(tree: Any, dotted: str, value: Any) -> Any:
    """A copy of a tree with another value at `a.b`; a value of RAW is written as it is."""
    root = copy.deepcopy(tree)
    *outer, key = dotted.split(".")
    inside = root
    for step in outer:
        inside = inside.setdefault(step, {})
    inside[key] = value
    return root


def to_json(tree: Any) -> bytes:
    """JSON as bytes, lone surrogates included."""
    text = json.dumps(tree)
    raw = re.sub(rf'"{RAW}((?:[^"\\]|\\.)*)"', lambda found: json.loads(f'"{found[1]}"'), text)
    return raw.encode("utf-8", "surrogatepass")


def to_toml(tree: Any) -> bytes:
    """A tree as TOML, one key to a line; what TOML cannot say is written wrong."""
    if not isinstance(tree, dict):
        return _toml(tree).encode("utf-8", "surrogatepass")
    lines = [f"{json.dumps(str(key))} = {_toml(value)}\n" for key, value in tree.items()]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return value.removeprefix(RAW) if value.startswith(RAW) else json.dumps(value)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value).lower()


# Tables: a list of rows, the header first

Rows = list[list[str]]


def change_table(random: Random, rows: Rows) -> tuple[Rows, str]:
    """Replace a cell, or double, drop, cut, lengthen or exchange rows and columns."""
    rows = [list(row) for row in rows] or [["layer"]]
    row, column = random.randrange(len(rows)), random.randrange(max(map(len, rows)))
    how = random.choice(
        ("cell",) * 8 + ("double", "drop row", "drop column", "swap", "cut", "long")
    )
    where = f"line {row + 1}, column {rows[0][column] if column < len(rows[0]) else column}"
    if how == "cell":
        new = random.choice(CELLS + CELLS + WORDS)
        rows[row] += [""] * (column + 1 - len(rows[row]))
        was, rows[row][column] = rows[row][column], new
        return rows, f"{where}: {shown(was)} -> {shown(new)}"
    if how == "double":
        rows.insert(random.randrange(len(rows) + 1), list(rows[row]))
    elif how == "drop row":
        del rows[row]
    elif how == "drop column":
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif how == "swap":
        other = random.randrange(len(rows))
        rows[row], rows[other] = rows[other], rows[row]
    elif how == "cut":
        rows[row] = rows[row][:column]
    else:
        rows[row] += ["1"] * random.choice((1, 3, 1000))
    return rows, f"{where}: {how}"


def cell(rows: Rows, column: str, value: str, line: int = 1) -> Rows:
    """A copy of a table with another cell in a column, which is added where it is not there."""
    rows = [list(row) for row in rows]
    if column not in rows[0]:
        rows = [[*row, "" if number else column] for number, row in enumerate(rows)]
    rows[line][rows[0].index(column)] = value
    return rows


def to_csv(rows: Rows, delimiter: str = ",") -> bytes:
    """A table as bytes."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def from_csv(data: bytes) -> Rows:
    """The rows of a table."""
    return list(csv.reader(io.StringIO(data.decode())))


# Bytes


def change_bytes(random: Random, data: bytes) -> tuple[bytes, str]:
    """Flip, cut, insert, repeat or overwrite some bytes; most often near the beginning."""
    reach = random.choice((64, 1024, len(data))) or 1
    at = random.randrange(min(reach, len(data)) + 1)
    how = random.choice(("flip", "flip", "cut", "insert", "repeat", "integer", "drop"))
    if how == "flip" and data:
        at = min(at, len(data) - 1)
        data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    elif how == "cut":
        data = data[:at]
    elif how == "insert":
        data = (
            data[:at]
            + random.choice(
                (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"\n", b"\x1b[2J", b"\xf0\x9f")
            )
            + data[at:]
        )
    elif how == "repeat":
        data = data[:at] + data[at : at + 64] * random.choice((2, 100)) + data[at + 64 :]
    elif how == "integer":
        number = random.choice((0, 1, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1))
        data = data[:at] + number.to_bytes(8, "little") + data[at + 8 :]
    else:
        data = data[:at] + data[at + random.choice((1, 8, 64)) :]
    return data, f"byte {at}: {how}"
