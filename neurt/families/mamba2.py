"""Mamba-2: layers of one block each, a mixer with a state of fixed size, and no positions."""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.scan import Scan
from neurt.families.bloom import UNBOUNDED
from neurt.families.config import Config, ShapeError
from neurt.families.family import Norms, Recurrence
from neurt.families.llama import LLAMA
from neurt.families.shape import Layer, Shape, StateSpace


def read_state_space(
    config: Config, *, heads: str, width: str, state: str, absent: tuple[int, int]
) -> StateSpace:
    """The sizes of a mixer of Mamba-2.

    Args:
        config: What is read.
        heads: The key of the number of heads.
        width: That of the channels of a head.
        state: That of the entries of the state for each channel.
        absent: Heads and channels of a head where a configuration does not say.

    Raises:
        ShapeError: If a size is impossible.
    """
    number, groups = config.size(heads, absent[0]), config.size("n_groups", 8)
    if number % groups:
        raise ShapeError(
            f"model '{config.name}': '{heads}' (= {number}) must be divisible by 'n_groups' "
            f"(= {groups})"
        )
    biased = config.flag("use_bias", default=False)
    return StateSpace(
        Scan(number, config.size(width, absent[1]), config.size(state, 128), groups),
        config.size("conv_kernel", 4),
        bias=biased,
        out_bias=biased,
        kernel_bias=config.flag("use_conv_bias", default=True),
    )


def _read(config: Config, model_type: str) -> Shape:
    mixer = read_state_space(
        config, heads="num_heads", width="head_dim", state="state_size", absent=(128, 64)
    )
    width, factor = config.size("hidden_size", 4096), config.content.get("expand", 2)
    config.check_positive("expand", factor)
    if factor is None:
        raise config.wrong("expand", factor, "must be a number > 0")
    if width * factor != mixer.scan.channels:
        raise ShapeError(
            f"model '{config.name}': 'hidden_size' times 'expand' (= {width * factor}) must be "
            f"'num_heads' times 'head_dim' (= {mixer.scan.channels})"
        )
    config.require("hidden_act", "silu")
    layers = config.layers("num_hidden_layers")
    return Shape(
        layers=layers,
        width=width,
        heads=mixer.scan.heads,
        inner=mixer.scan.channels,
        vocabulary=config.size("vocab_size", 32768),
        positions=UNBOUNDED,  # a state has no longest sequence
        model_type=model_type,
        head_width=mixer.scan.width,
        tied=config.flag("tie_word_embeddings", default=False),
        kinds=(Layer(mixer, None),) * layers,
    )


# No layer has the attention and the feed-forward block of Llama.
MAMBA2 = replace(
    LLAMA,
    name="Mamba-2",
    classes={"mamba2": "Mamba2"},
    read=_read,
    layers="backbone.layers",
    recurrence=Recurrence("mixer", "Mamba2Mixer", "MambaRMSNormGated"),
    norms=Norms("norm", None),
    final_norm="backbone.norm_f",
    embeddings=(("backbone.embeddings", "Embedding"),),
    angles=None,
    converted=False,
)
