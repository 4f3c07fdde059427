"""The header of a table of counts: its own words, and those of others for the same things."""

from __future__ import annotations

import re

from energy.counts.counts import COUNT_COLUMNS
from energy.sheet import Sheet, listed
from hwmodels import Op
from hwmodels.ops import IN_BYTES

#: Columns that are read.
KNOWN = dict.fromkeys(
    [*(column.name for column in COUNT_COLUMNS), *map(str, Op), *IN_BYTES, "value_bytes"]
)
#: What other tools call them.
_ELSEWHERE = {
    **dict.fromkeys(("name", "module", "layer name", "module name"), "layer"),
    "layer (type:depth-idx)": "layer",  # torchinfo
    **dict.fromkeys(("mult-adds", "multiply-adds", "multiply-accumulates"), "mac"),
}

#: Columns of `layers.csv` and `energy.csv`.
_BILLED = {"hw", "layer", "compute_pj", "memory_pj", "energy_pj"}


def understand(sheet: Sheet) -> list[str]:
    """Give the columns of a sheet the names that they are known by.

    Returns:
        What was understood, and which columns are not used, in sentences.

    Raises:
        UserError: As the error of the sheet, if it lacks a column that is needed, has one twice, or
            is a bill of counts.
    """
    if {*sheet.header} >= _BILLED:
        raise sheet.error(
            f"{sheet.called} are a bill of this program, in which not every operation has a "
            "column; price the counts.csv that it was made from"
        )
    names = {column: _meant(column, sheet.header) for column in sheet.header}
    said = sheet.rename({column: name for column, name in names.items() if name})
    unused = [x for x in sheet.header if x not in KNOWN]
    if "layer" not in sheet.header or not any(x in sheet.header for x in (*Op, *IN_BYTES)):
        flops = any("flop" in column.casefold() for column in sheet.header)
        hint = "; a MAC is two FLOPs, and one in fvcore" if flops else ""
        raise sheet.error(
            f"{sheet.called} need the column 'layer' and at least one of mac, ac, ... (see "
            f"docs/method/memory.md); the header is: {listed(sheet.header) or 'empty'}{hint}"
        )
    for name, op in IN_BYTES.items():
        if name in sheet.header and op in sheet.header:
            raise sheet.error(
                f"{sheet.called} have the columns '{op}' and '{name}', which say the same; leave "
                "one of them out"
            )
    if unused:
        said.append(f"columns that are not used: {listed(unused)}")
    return said


def _meant(column: str, header: list[str]) -> str | None:
    """The column that a name means: in another case, in the plural, or in another tool's words."""
    if column in KNOWN:
        return column
    word = re.sub(r"[\s_]+", " ", column.strip().casefold())
    for known in KNOWN:
        if word == known.replace("_", " "):
            return known
    for op in map(str, Op):
        if word.removesuffix("s") == op.replace("_", " ").removesuffix("s"):
            return op
    found = _ELSEWHERE.get(word)
    return found if found and found not in header else None
