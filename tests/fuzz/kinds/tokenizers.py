"""Tokenizers beside a model."""

from __future__ import annotations

import json

from ..case import Case, Draw
from ..seeds import CALIBRATION, Seeds, under
from ..values import change_bytes, change_tree, to_json

_COMMANDS = (
    *["count --model model --seq-len 4 --hw 45nm --pictures none --out out"] * 3,
    f"convert --model model {CALIBRATION} --window 8 --out out",
)


def case(draw: Draw, seeds: Seeds) -> Case:
    """A model, and a command that reads its tokenizer."""
    model = dict(seeds.model)
    name = draw.choice(
        ("tokenizer.json",) * 3 + ("tokenizer_config.json", "generation_config.json")
    )
    if draw.random() < 0.7:
        model[name] = to_json(draw.changed(json.loads(model[name]), change_tree))
    else:
        model[name] = draw.changed(model[name], change_bytes)
    return draw.case(draw.choice(_COMMANDS).split(), under("model", model))
