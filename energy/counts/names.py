"""What the names of rows say: which are totals, stand twice, or are modules above others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter

from energy.counts.columns import Rows
from energy.counts.layer import LayerCount
from energy.sheet import Sheet, listed
from hwmodels.plain import quoted

_LIKE_TOTAL = re.compile(r"(sub|grand )?total\b.*|sum|all|overall", re.IGNORECASE)
_AROUND = " :*-=\t"  #: marks around the name of a total
_STARTS = "tgsaoTGSAO\u017f"  #: how one begins; most names are not looked at further
_SHORT = 40  #: characters of a name in a sentence


def is_total(name: str) -> bool:
    """Whether a row is called like a total; one without a name would be that of all others."""
    start = name.lstrip(_AROUND)[:1]
    return start in _STARTS and (not start or _LIKE_TOTAL.fullmatch(word(name)) is not None)


def names_of(layers: Sequence[LayerCount]) -> Sequence[str]:
    """The names of rows, which are not made for it."""
    return layers.columns.names if isinstance(layers, Rows) else [layer.name for layer in layers]


def word(name: str) -> str:
    """A name without the marks around it."""
    return name.strip(_AROUND)


def repeated(
    layers: Sequence[LayerCount], names: Sequence[str], lines: Sequence[int], sheet: Sheet
) -> list[str]:
    """Refuse a row that stands twice; says which names several rows have."""
    if len({*names}) == len(names):
        return []
    first: dict[str, int] = {}
    again: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if (earlier := first.setdefault(name, i)) != i:
            again.setdefault(name, [earlier]).append(i)
    for name, rows in again.items():
        seen: dict[object, int] = {}
        for i in rows:
            x = layers[i]
            same = (x.kind, x.label, x.calls, *x.tally[1:], frozenset(x.tally.ops.items()))
            if (earlier := seen.setdefault(same, i)) != i:
                raise sheet.fault(
                    lines[i],
                    f" is the same as line {lines[earlier]} (layer {quoted(name, _SHORT)}); leave "
                    "one of them out, or give it a name of its own",
                )
    return [f"names of several rows, all of which are added: {listed(again)}"]


def below(names: Sequence[str], totals: set[int]) -> dict[int, list[int]]:
    """The rows directly below each module: its name and a dot begin theirs."""
    if not _are_nested(names):
        return {}
    at = {name: i for i, name in enumerate(names) if i not in totals}
    above: dict[str, int | None] = {}  # of each dotted path, the nearest module that has a row
    found: dict[int, list[int]] = {}
    for i, name in enumerate(names):
        path = name.rpartition(".")[0]
        if not path or i in totals:
            continue
        tried = []
        while path and path not in at and path not in above:
            tried.append(path)
            path = path.rpartition(".")[0]
        nearest = at.get(path, above.get(path))
        above |= dict.fromkeys(tried, nearest)
        if nearest is not None:
            found.setdefault(nearest, []).append(i)
    return found


def _are_nested(names: Sequence[str]) -> bool:
    """Whether a name and a dot begin another name, that of a total included."""
    known = paths = {*names}
    while paths:
        paths = {*map(itemgetter(0), map(str.rpartition, paths, repeat(".")))} - {""}
        if not known.isdisjoint(paths):
            return True
    return False
