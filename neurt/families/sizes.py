"""The keys of a `config.json` that most families share. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from energy.formulas.conventions import Window
from neurt.families.config import MAX_SIZE, Config, ShapeError
from neurt.families.shape import Dense, Experts, Layer, SelfAttention, Shape


class Absent(NamedTuple):
    """What transformers takes for keys that a configuration does not have."""

    kv_heads: int | None = None  #: None for as many as heads
    head_width: int | None = None  #: None for the width over the heads
    heads: int | None = None
    vocabulary: int | None = None
    positions: int | None = None
    tied: bool = False
    inner: int | None = None
    rotary_share: float = 1.0  #: share of the channels of a head that are rotated


#: Names in transformers of the activations that have a rule.
ACTIVATIONS = (
    *("silu", "gelu", "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "quick_gelu"),
    *("relu", "relu2", "swish"),
)
#: Ways of transformers to choose the frequencies of rotary positions.
_ROTATIONS = (
    "default",
    "linear",
    "dynamic",
    "yarn",
    "longrope",
    "llama3",
    "proportional",
    "su",
    "mrope",
)
#: Those whose `factor` makes sequences longer.
_LONGER = ("linear", "dynamic", "yarn")


def read_sizes(
    config: Config,
    model_type: str,
    absent: Absent = Absent(),  # noqa: B008 - immutable
    *,
    activation: str = "hidden_act",
    known: tuple[str, ...] = ACTIVATIONS,
) -> Shape:
    """The sizes of a decoder with the keys of Llama, without biases.

    Args:
        activation: The key of the activation.
        known: The activations that the family may have, the one of an absent key first.
    """
    each_its_own = config.size("num_attention_heads", absent.heads)
    # Null means one for each head; what is absent is as in transformers.
    unsaid = "num_key_value_heads" not in config.content
    kv_heads = config.size(
        "num_key_value_heads",
        (absent.kv_heads or each_its_own) if unsaid else each_its_own,
    )
    if each_its_own % kv_heads:
        raise ShapeError(
            f"model '{config.name}': 'num_attention_heads' (= {each_its_own}) must be divisible by "
            f"'num_key_value_heads' (= {kv_heads})"
        )
    width = config.size("hidden_size")
    if config.content.get("head_dim") is None and absent.head_width is None:
        config.multiple("hidden_size", "num_attention_heads", absent.heads)
    head_width = config.size("head_dim", absent.head_width or width // each_its_own)
    return Shape(
        layers=config.layers("num_hidden_layers"),
        width=width,
        heads=each_its_own,
        inner=config.size("intermediate_size", absent.inner),
        vocabulary=config.size("vocab_size", absent.vocabulary),
        positions=read_positions(config, absent.positions),
        model_type=model_type,
        kv_heads=kv_heads,
        head_width=head_width,
        activation=config.require(activation, *known),
        qkv_bias=False,
        out_bias=False,
        ffn_bias=False,
        tied=config.flag("tie_word_embeddings", default=absent.tied),
        rotated=_rotated(config, head_width, absent.rotary_share),
    )


def read_positions(config: Config, absent: int | None = None) -> int:
    """The longest sequence: that of the embedding, or what a configuration extends it to.

    Counts do not depend on the frequencies, but a model of unknown ones is none.
    """
    longest = config.size("max_position_embeddings", absent)
    for key in ("rope_parameters", "rope_scaling"):
        scaling = config.content.get(key) or {}
        if not isinstance(scaling, Mapping):
            raise config.wrong(key, scaling, "must be an object or null")
        # Families with two kinds of layers have one rotation for each.
        nested = [(f"{key}.{name}", x) for name, x in scaling.items() if isinstance(x, Mapping)]
        for name, rotation in nested or [(key, scaling)]:
            longest = max(longest, _extended(config, name, rotation))
    for number in ("rope_theta", "rms_norm_eps", "layer_norm_eps"):
        config.check_positive(number, config.content.get(number))
    if config.content.get("max_sequence_length") is None:
        return longest
    return max(longest, config.size("max_sequence_length"))


def _extended(config: Config, key: str, rotation: Mapping[str, object]) -> int:
    """Positions that one kind of rotation reaches by its factor; 0 where it extends nothing."""
    kind = rotation.get("rope_type", rotation.get("type", "default"))
    if kind not in _ROTATIONS:
        raise config.wrong(f"{key}.rope_type", kind, f"must be one of {', '.join(_ROTATIONS)}")
    for number in ("rope_theta", "factor"):
        config.check_positive(f"{key}.{number}", rotation.get(number))
    factor, before = rotation.get("factor"), rotation.get("original_max_position_embeddings")
    if kind not in _LONGER or not isinstance(factor, (int, float)):
        return 0
    if type(before) is not int or before < 1:
        # The embedding of a family that was trained with its factor has all positions already.
        if kind == "yarn":
            return 0
        before = config.size("max_position_embeddings", 1)
    return int(min(factor * before, MAX_SIZE))


def _rotated(config: Config, head_width: int, absent: float) -> int:
    """Channels of a head that are rotated; 0 for all of them."""
    rotation = config.content.get("rope_parameters")
    nested = rotation.get("partial_rotary_factor") if isinstance(rotation, Mapping) else None
    share = config.content.get("partial_rotary_factor", nested)
    config.check_positive("partial_rotary_factor", share)
    if share is not None and share > 1:
        raise config.wrong("partial_rotary_factor", share, "must be at most 1")
    channels = int(head_width * (absent if share is None else share))
    if channels % 2 or not 0 < channels <= head_width:
        raise ShapeError(
            f"model '{config.name}': of heads of {head_width} channels {channels} are rotated, in "
            "pairs; 'head_dim' (or 'hidden_size' over 'num_attention_heads') times "
            "'partial_rotary_factor' must be even and at most the first"
        )
    return 0 if channels == head_width else channels


def read_window(config: Config, absent: int | None = None) -> Window | None:
    """The window of the layers that have one; None where it is null."""
    if config.content.get("sliding_window", absent) is None:
        return None
    return Window(config.size("sliding_window", absent))


def with_windows(
    shape: Shape,
    config: Config,
    window: Window | None,
    slides: Callable[[int], bool] = lambda _depth: True,
    *,
    rotates: Callable[[str], bool] = lambda _kind: True,
) -> Shape:
    """The shape with layers that have a window.

    Args:
        shape: Its sizes.
        config: Its `layer_types` say which layers have a window, where it has them.
        window: The window; None where no layer has one.
        slides: Whether the layer of an index has one, where `layer_types` does not say.
        rotates: Whether a layer of a kind of `layer_types` rotates Q and K.
    """
    kinds = read_layer_types(config, shape.layers) or [
        "sliding_attention" if slides(depth) else "full_attention" for depth in range(shape.layers)
    ]
    layers = tuple(
        Layer(
            SelfAttention(window if kind == "sliding_attention" else None, rotates(kind)),
            Dense(shape.inner),
        )
        for kind in kinds
    )
    plain = all(kind == Layer(SelfAttention(), Dense(shape.inner)) for kind in layers)
    return shape if plain else replace(shape, kinds=layers)


def read_layer_types(
    config: Config, layers: int, local: str = "sliding_attention"
) -> list[str] | None:
    """The kinds of attention of all layers; None where the configuration does not say.

    Args:
        local: What a layer that does not see everything may be called, beside `full_attention`.
    """
    said = config.content.get("layer_types")
    if said is None:
        return None
    known = ("full_attention", local)
    if not isinstance(said, list) or len(said) != layers or any(x not in known for x in said):
        raise config.wrong(
            "layer_types", said, f"must name one of {', '.join(known)} for each of the layers"
        )
    return said


def read_rotated(config: Config, layers: int) -> list[bool]:
    """Whether each layer rotates Q and K: all but every fourth, or as a configuration says."""
    every = config.size("no_rope_layer_interval", 4)
    said = config.content.get("no_rope_layers")
    if not said:  # transformers takes an empty list for none
        return [(depth + 1) % every != 0 for depth in range(layers)]
    if not isinstance(said, list) or len(said) != layers or any(x not in (0, 1) for x in said):
        raise config.wrong("no_rope_layers", said, "must say 1 or 0 for each of the layers")
    return [bool(one) for one in said]


def with_experts(
    shape: Shape, experts: Experts, has: Callable[[int], bool] = lambda _depth: True
) -> Shape:
    """The shape with a mixture of experts in the layers of so many indices."""
    kinds = (
        replace(kind, feedforward=experts) if has(depth) else kind
        for depth, kind in enumerate(shape.each)
    )
    return replace(shape, kinds=tuple(kinds))
