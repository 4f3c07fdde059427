"""OLMo: norms without weights. OLMo 2 and 3: norms of what a block gives, of all of Q and of K."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import Norm
from neurt.families.llama import ATTENTION, LLAMA, NORMS_AFTER
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(positions=2048))
    biased = config.flag("attention_bias", default=False)
    shape = replace(shape, qkv_bias=biased, out_bias=biased)
    if model_type != "olmo3":
        return shape
    return with_windows(shape, config, read_window(config, 4096), lambda depth: (depth + 1) % 4 > 0)


OLMO = replace(
    LLAMA,
    name="OLMo",
    classes={"olmo": "Olmo"},
    read=_read,
    norm=Norm("LayerNorm", centred=True, scale=False),
    converted=False,
)
OLMO2 = replace(
    LLAMA,
    name="OLMo 2",
    classes={"olmo2": "Olmo2"},
    read=_read,
    attention=replace(ATTENTION, norms=("q_norm", "k_norm"), norm_over="all"),
    norms=NORMS_AFTER,
    converted=False,
)
OLMO3 = replace(OLMO2, name="OLMo 3", classes={"olmo3": "Olmo3"}, angles_apart=True)
