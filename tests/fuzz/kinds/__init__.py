"""What is fuzzed: one file per kind, each with a function that makes a case of what is drawn.

To add a kind: a file with `case(draw, seeds)`, and a line here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..case import Case, Draw
from ..seeds import Seeds
from . import (
    claims,
    configs,
    counts,
    flags,
    ggufs,
    nirs,
    profiles,
    resumed,
    runs,
    safetensors,
    servers,
    texts,
    tokenizers,
)

#: Kinds by name: how often one is drawn beside the others, and what makes its cases.
KINDS: dict[str, tuple[int, Callable[[Draw, Seeds], Case]]] = {
    "profiles": (16, profiles.case),
    "counts": (16, counts.case),
    "claims": (8, claims.case),
    "servers": (8, servers.case),
    "configs": (14, configs.case),
    "gguf": (12, ggufs.case),
    "nir": (4, nirs.case),
    "safetensors": (6, safetensors.case),
    "tokenizers": (4, tokenizers.case),
    "runs": (10, runs.case),
    "texts": (3, texts.case),
    "flags": (14, flags.case),
    "resumed": (3, resumed.case),
}
