"""Bamba, Falcon-H1, Granite 4: mixers of Mamba-2 in the place of attention, or beside it.

Constants that multiply what is between layers (Falcon-H1, Granite) are operations that hooks see
outside of layers: neither plan nor count has a row of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from energy.formulas.experts import Scoring
from energy.formulas.scan import Scan
from neurt.families.config import Config
from neurt.families.family import FeedForward, Mixture, Norms, Recurrence
from neurt.families.llama import FEEDFORWARD, LLAMA
from neurt.families.mixtral import read_chosen
from neurt.families.shape import Dense, Experts, Layer, SelfAttention, Shape, SideBySide, StateSpace
from neurt.families.sizes import Absent, read_sizes, with_experts

#: What a layer of `layer_types` may be called: whether it is a mixer of Mamba-2.
_KINDS = {"mamba": True, "linear_attention": True, "attention": False, "full_attention": False}


def _read_mixer(config: Config, channels: int) -> StateSpace:
    """The sizes of a mixer of Mamba-2 of so many channels."""
    heads, groups = config.size("mamba_n_heads", 128), config.size("mamba_n_groups", 1)
    width = config.content.get("mamba_d_head", "auto")
    width = channels // heads if width == "auto" else config.size("mamba_d_head")
    if heads * width != channels:
        raise config.wrong(
            "mamba_n_heads", heads, f"times 'mamba_d_head' (= {width}) must be {channels} channels"
        )
    if heads % groups:
        raise config.wrong("mamba_n_groups", groups, f"must divide 'mamba_n_heads' (= {heads})")
    biased = config.flag("mamba_proj_bias", default=False)
    return StateSpace(
        Scan(heads, width, config.size("mamba_d_state", 256), groups),
        config.size("mamba_d_conv", 4),
        bias=biased,
        out_bias=biased,
        kernel_bias=config.flag("mamba_conv_bias", default=True),
    )


def _expanded(config: Config, width: int) -> int:
    return width * config.size("mamba_expand", 2)


def _biased(shape: Shape, config: Config) -> Shape:
    biased = config.flag("attention_bias", default=False)
    return replace(shape, qkv_bias=biased, out_bias=biased)


def _mixed(shape: Shape, mixer: StateSpace, mambas: Sequence[bool], *, rotated: bool) -> Shape:
    """The shape with a mixer in some layers, and attention in the others."""
    attention = SelfAttention(rotated=rotated)
    layers = (Layer(mixer if mamba else attention, Dense(shape.inner)) for mamba in mambas)
    return replace(shape, kinds=tuple(layers))


def _read_bamba(config: Config, model_type: str) -> Shape:
    absent = Absent(8, None, 32, 128_000, 262_144, inner=14_336)
    # transformers rotates half of a head whatever the configuration says.
    given = config._replace(content={**config.content, "partial_rotary_factor": 0.5})
    shape = _biased(read_sizes(given, model_type, absent), config)
    shape = replace(shape, ffn_bias=config.flag("mlp_bias", default=False))
    attends = config.content.get("attn_layer_indices") or []
    if not isinstance(attends, list) or any(type(depth) is not int for depth in attends):
        raise config.wrong("attn_layer_indices", attends, "must be a list of the indices of layers")
    mambas = [depth not in attends for depth in range(shape.layers)]
    mixer = _read_mixer(config, _expanded(config, shape.width))
    return _mixed(shape, mixer, mambas, rotated=True)


BAMBA = replace(
    LLAMA,
    name="Bamba",
    classes={"bamba": "Bamba"},
    read=_read_bamba,
    recurrence=Recurrence("mamba", "BambaMixer", "BambaRMSNormGated"),
    feedforward=replace(FEEDFORWARD, path="feed_forward"),
    norms=Norms("input_layernorm", "pre_ff_layernorm"),
    final_norm="model.final_layernorm",
    converted=False,
)


def _read_falcon_h1(config: Config, model_type: str) -> Shape:
    absent = Absent(8, None, 32, 128_000, 8192, inner=14_336)
    shape = _biased(read_sizes(config, model_type, absent), config)
    shape = replace(shape, ffn_bias=config.flag("mlp_bias", default=False))
    unsaid = "mamba_d_ssm" not in config.content
    null = not unsaid and config.content["mamba_d_ssm"] is None
    expanded = _expanded(config, shape.width)
    mixer = _read_mixer(config, expanded if null else config.size("mamba_d_ssm", 1024))
    mixer = replace(
        mixer,
        out_bias=config.flag("projectors_bias", default=False),
        normed=config.flag("mamba_rms_norm", default=False),
        scaled=True,
    )
    both = Layer(SideBySide(SelfAttention(), mixer), Dense(shape.inner))
    return replace(shape, kinds=(both,) * shape.layers)


FALCON_H1 = replace(
    BAMBA,
    name="Falcon-H1",
    classes={"falcon_h1": "FalconH1"},
    read=_read_falcon_h1,
    recurrence=Recurrence("mamba", "FalconH1Mixer", "FalconH1RMSNormGated", sum="residual.0"),
    residuals=("residual.1", "residual.2"),
)

_ROTATED = "rotated"


def _read_granite(config: Config, model_type: str) -> Shape:
    absent = Absent(None, None, 32, 32_000, 2048, inner=11_008)
    shape = _biased(read_sizes(config, model_type, absent), config)
    experts = shape.inner
    shape = replace(shape, inner=config.size("shared_intermediate_size", 1024))
    said = config.content.get("layer_types", config.content.get("layers_block_type"))
    said = ["mamba"] * shape.layers if said is None else said
    if not isinstance(said, list) or len(said) != shape.layers or {*map(str, said)} - {*_KINDS}:
        known = ", ".join(_KINDS)
        raise config.wrong("layer_types", said, f"must name one of {known} for each of the layers")
    # A type of positions that is not this one is none.
    rotated = config.content.get("position_embedding_type") == "rope"
    mixer = _read_mixer(config, _expanded(config, shape.width))
    shape = _mixed(shape, mixer, [_KINDS[str(word)] for word in said], rotated=rotated)
    shape = replace(shape, variant=_ROTATED if rotated else "")
    if config.content.get("num_local_experts", 8) == 0:
        return shape
    number, chosen = read_chosen(config, "num_local_experts", 8, 2)
    return with_experts(shape, Experts(number, chosen, experts, shared=shape.inner))


_SHARED = FeedForward(
    "shared_mlp", up="input_linear", down="output_linear", activation="activation", fused=True
)

GRANITE_HYBRID = replace(
    LLAMA,
    name="Granite 4",
    classes={"granitemoehybrid": "GraniteMoeHybrid"},
    read=_read_granite,
    recurrence=Recurrence("mamba", "GraniteMoeHybridMambaLayer", "GraniteMoeHybridRMSNormGated"),
    feedforward=_SHARED,
    mixture=Mixture(
        "block_sparse_moe",
        "router",
        Scoring.SOFTMAX_CHOSEN,
        shared=_SHARED,
        # Additions of a layer are numbered as they run; all are alike.
        sum="residual.2",
    ),
    angles=None,
    converted=False,
)
GRANITE_HYBRID_ROTATED = replace(GRANITE_HYBRID, angles=LLAMA.angles, variant=_ROTATED)
