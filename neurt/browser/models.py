"""The models that the page of configurations offers, each with the text of its `config.json`."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files

from neurt.families import ALIASES, Shape
from neurt.loading.published import published


def models() -> dict[str, str]:
    """Texts by name: the sizes of GPT-2, one model of most families, those of `published`.

    Models of the same sizes, as one and its instructed version, are there once.
    """
    found = {name: _gpt2(shape) for name, (_, shape) in ALIASES.items()}
    found |= {name: each["config"].strip() for name, each in listed().items()}
    for name, path in published().items():
        text = path.read_text(encoding="utf-8").strip()
        if text not in found.values():
            found[name] = text
    return found


def listed() -> dict[str, dict[str, str]]:
    """What `models.toml` says: the configuration and the number of parameters of each."""
    text = (files("neurt") / "browser" / "models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _gpt2(shape: Shape) -> str:
    """The configuration of a size of GPT-2."""
    sizes = {"n_layer": shape.layers, "n_embd": shape.width, "n_head": shape.heads}
    rest = {"n_positions": shape.positions, "vocab_size": shape.vocabulary}
    return json.dumps({"model_type": "gpt2", **sizes, **rest}, indent=1)
