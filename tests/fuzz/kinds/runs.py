"""Folders of runs: their record and their counts, which somebody may have edited."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import Any

from ..case import Case, Draw
from ..seeds import Seeds, under
from ..values import (
    Rows,
    cell,
    change_bytes,
    change_table,
    change_tree,
    from_csv,
    put,
    to_csv,
    to_json,
)

_OUT = "--hw 45nm --pictures none --out out"
_COMMANDS = (
    *["report run --pictures none --no-page --out out"] * 8,
    *["report run --pictures none --no-page --out out --json --details"] * 2,
    *["report run other --compare --pictures none --no-page --out out"] * 3,
    *["report run --compare --measured --pictures none --no-page --out out"] * 2,
    "report run other --pictures none --no-page --parquet --out out",
    *[f"sensitivity run --samples 50 {_OUT}"] * 3,
    *[f"breakeven --run run {_OUT}"] * 3,
    *("report run --pictures none --out out", "report run --pictures svg --no-page --out out"),
)


def _wrong(key: str, *values: Any) -> Any:
    return f"{key} in run.json", lambda random, tree: put(tree, key, random.choice(values))


_FAULTS = (
    _wrong("format", 0, 99, "2", None, True, -1),
    _wrong("model", 5, None, [], True),
    _wrong("settings", [], None, 5),
    _wrong("settings.timesteps", -1, "4", 1.5, 10**9),
    _wrong("sha256", {}, {"counts.csv": "0" * 64}, 5),
    _wrong("hardware", {}, [], None, "45nm", [5], [{}], {"45nm": {}}),
    _wrong("command", 5, "", None, "fly"),
)


def _other_layer(random: Random, rows: Rows) -> tuple[Rows, str]:
    """Another name of a layer in one variant, which the record does not know."""
    line = random.randrange(1, len(rows))
    return cell(
        rows, "layer", random.choice(("transformer.h.7.x", "", "<fuzz onload=x>", "模型")), line
    ), f"line {line}: another layer"


def case(draw: Draw, seeds: Seeds) -> Case:
    """A run, and a command that reads it."""
    run = dict(draw.choice((seeds.planned, seeds.measured)))
    record = json.loads(run["run.json"])
    what = draw.choice(("record", "record", "counts", "counts", "bytes"))
    words = draw.choice(_COMMANDS).split()
    if words[0] == "report":
        record = draw.spoilt(record, _FAULTS)
    if what == "counts":
        rows = draw.changed(from_csv(run["counts.csv"]), change_table, _other_layer)
        run["counts.csv"] = to_csv(rows)
        if draw.random() < 0.8 and not draw.nonsense:  # as one who edits it and knows of the digest
            record["sha256"] = {"counts.csv": hashlib.sha256(run["counts.csv"]).hexdigest()}
    record = draw.changed(record, change_tree) if what == "record" else record
    run["run.json"] = to_json(record)
    if what == "bytes":
        name = draw.choice(("run.json", "counts.csv"))
        run[name] = draw.changed(run[name], change_bytes)
    return draw.case(words, under("run", run) | under("other", seeds.planned))
