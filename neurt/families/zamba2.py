"""Zamba2: mixers of Mamba-2, some of them behind a transformer block that several layers share.

Sources: Zyphra, "Zamba", arXiv 2405.16712, figure 2; "The Zamba2 Suite", arXiv 2411.15242.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from energy.formulas.scan import Scan
from neurt.families.config import Config
from neurt.families.family import FeedForward, Norms, Recurrence
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.shape import Layer, SelfAttention, Shape, SharedBlock, StateSpace
from neurt.families.sizes import Absent, read_sizes

_ROTATED = "rotated"
_WORDS = {"mamba": False, "linear_attention": False, "hybrid": True}
#: Layers of the sizes of 2.7B and 7B, of which a configuration may leave them out.
_LAYERS = "m" + "mmmmmh" * 7 + "mmmmh" + "mmmh" + "mm"


def _read(config: Config, model_type: str) -> Shape:
    width, heads = config.size("hidden_size"), config.size("num_attention_heads", 32)
    head = config.multiple("hidden_size", "num_attention_heads", 32)[0] * 2 // heads
    given = {**config.content, "head_dim": head}
    absent = Absent(None, None, 32, 32_000, 4096, tied=True, inner=4 * width)
    shape = read_sizes(config._replace(content=given), model_type, absent, known=("gelu", "silu"))
    adapted = config.flag("use_shared_attention_adapter", default=False)
    if adapted and shape.kv_heads != heads:
        raise config.wrong(
            "num_key_value_heads", shape.kv_heads, f"must be {heads}, for adapters of K and V"
        )
    biased = config.flag("add_bias_linear", default=False)
    rotated = config.flag("use_mem_rope", default=False)
    mixer = _mixer(config, width, biased=biased)
    calls = count()

    def layer(*, hybrid: bool) -> Layer:
        if not hybrid:
            return Layer(mixer, None)
        block = SharedBlock(
            SelfAttention(rotated=rotated),
            mixer,
            shape.inner,
            next(calls),
            config.size("num_mem_blocks", 1),
            config.size("adapter_rank", 128),
            adapted,
        )
        return Layer(block, None)

    kinds = tuple(layer(hybrid=hybrid) for hybrid in _hybrids(config, shape.layers))
    variant = _ROTATED if rotated else ""
    return replace(shape, ffn_bias=biased, kinds=kinds, variant=variant)


def _hybrids(config: Config, layers: int) -> list[bool]:
    """Whether each layer has a shared block."""
    said = config.content.get("layers_block_type")
    if said is None and layers == len(_LAYERS):
        return [letter == "h" for letter in _LAYERS]
    if not isinstance(said, list) or len(said) != layers or {*map(str, said)} - {*_WORDS}:
        known = ", ".join(_WORDS)
        raise config.wrong(
            "layers_block_type", said, f"must name one of {known} for each of the layers"
        )
    return [_WORDS[str(word)] for word in said]


def _mixer(config: Config, width: int, *, biased: bool) -> StateSpace:
    channels = width * config.size("mamba_expand", 2)
    heads, groups = config.size("n_mamba_heads", 8), config.size("mamba_ngroups", 1)
    if channels % heads:
        raise config.wrong("n_mamba_heads", heads, f"must divide its {channels} channels")
    if heads % groups:
        raise config.wrong("mamba_ngroups", groups, f"must divide 'n_mamba_heads' (= {heads})")
    return StateSpace(
        Scan(heads, channels // heads, config.size("mamba_d_state", 64), groups),
        config.size("mamba_d_conv", 4),
        bias=biased,
        out_bias=biased,  # its convolution has a bias whatever the configuration says
    )


_BLOCK, _ADAPTERS = "shared_transformer", "_adapter_list"
_PARTS = {
    f"{_BLOCK}.input_layernorm": ("attention", "norm"),
    f"{_BLOCK}.pre_ff_layernorm": ("ffn", "norm"),
    "linear": ("ffn", "ffn_down"),
    "mamba_decoder.input_layernorm": ("attention", "norm"),
    "mamba_decoder.residual.0": ("ffn", "residual"),
    "mamba_decoder.residual.1": ("attention", "residual"),
    f"{_BLOCK}.feed_forward.residual.0": ("ffn", "residual"),
    **{f"{_BLOCK}.self_attn.residual.{at}": ("attention", "residual") for at in range(3)},
    f"{_BLOCK}.feed_forward.gate_up_proj{_ADAPTERS}..": ("ffn", "ffn_up"),
    **{
        f"{_BLOCK}.self_attn.linear_{letter}{_ADAPTERS}..": ("attention", "qkv") for letter in "qkv"
    },
    **{
        f"mamba_decoder.mamba.{part}": ("attention", what)
        for part, what in (
            *(("in_proj", "qkv"), ("conv1d", "convolution"), ("act", "activation")),
            *(("scan", "scan"), ("norm", "norm"), ("out_proj", "proj")),
        )
    },
}

_ZAMBA2 = replace(
    LLAMA,
    name="Zamba2",
    classes={"zamba2": "Zamba2"},
    read=_read,
    attention=replace(ATTENTION, path=f"{_BLOCK}.self_attn", rotary=False),
    feedforward=FeedForward(
        f"{_BLOCK}.feed_forward",
        up="gate_up_proj",
        down="down_proj",
        activation="act_fn",
        fused=True,
    ),
    recurrence=Recurrence("mamba", "Zamba2MambaMixer", "Zamba2RMSNormGated", activation="SiLU"),
    norms=Norms("input_layernorm", None),
    final_norm="model.final_layernorm",
    angles=None,
    parts=_PARTS,
    converted=False,
)
ZAMBA2 = (
    _ZAMBA2,
    replace(
        _ZAMBA2,
        attention=replace(_ZAMBA2.attention, rotary=True),
        angles=LLAMA.angles,
        variant=_ROTATED,
    ),
)
