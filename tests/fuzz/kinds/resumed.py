"""Work that was begun: points of a sweep, a checkpoint, what a training wrote down."""

from __future__ import annotations

import json
from random import Random

from ..case import Case, Draw
from ..seeds import SIZES, SWEEP, TRAINING, Seeds, under
from ..values import change_bytes, change_table, change_tree, from_csv, to_csv, to_json
from .safetensors import _parts, _whole


def case(draw: Draw, seeds: Seeds) -> Case:
    """A folder, and the command that goes on in it."""
    if draw.random() < 0.5:
        return _sweep(draw, seeds)
    return _training(draw, seeds)


def _sweep(draw: Draw, seeds: Seeds) -> Case:
    files = dict(seeds.swept)
    [point] = [path for path in files if path.startswith("points/")]
    rows = draw.spoilt(
        files[point], [("a point that was cut", lambda _, data: data[: len(data) // 2])]
    )
    if draw.random() < 0.7 and draw.mode == "changed":
        rows = to_json(draw.changed(json.loads(rows), change_tree))
    else:
        rows = draw.changed(rows, change_bytes)
    found = under("model", seeds.model) | under("out", files | {point: rows})
    return draw.case(f"sweep --model model {SWEEP} --out out".split(), found)


def _training(draw: Draw, seeds: Seeds) -> Case:
    files = dict(seeds.checkpoint)
    name = draw.choice(sorted(files))
    if name.endswith(".csv"):
        rows = draw.changed(from_csv(files[name]), change_table)
        files[name] = to_csv(rows)
    elif draw.random() < 0.5 and draw.mode == "changed":
        header, rest = _parts(files[name])
        files[name] = _whole(draw.changed(header, change_tree), rest)
    else:
        files[name] = (
            draw.spoilt(files[name], [("a checkpoint that was cut", _cut)])
            if name.endswith("safetensors")
            else files[name]
        )
        files[name] = draw.changed(files[name], change_bytes)
    found = {"text.txt": seeds.text} | under("out", files)
    return draw.case(
        f"pretrain --text text.txt {SIZES} {TRAINING} --out out --resume".split(), found
    )


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))]
