"""The groups of layers of compressed-tensors (vllm-project/compressed-tensors)."""

from __future__ import annotations

from energy.counts import LayerCount
from neurt.families.config import Config
from neurt.loading.quantised.scheme import (
    Quantised,
    Scheme,
    bits_of,
    block_of,
    group_of,
    is_named,
    names_of,
    object_of,
    scaled,
)


def compressed_tensors(asked: Config, own: float) -> Quantised | None:
    """What its groups say, the first that names a layer; None of a sparse checkpoint."""
    sparsity = object_of(asked, "sparsity_config")
    if sparsity is not None and sparsity.content.get("format", "dense") != "dense":
        return None
    listed = object_of(asked, "config_groups") or Config({}, asked.name)
    groups = [group for key in listed.content if (group := object_of(listed, key)) is not None]
    packed = str(asked.content.get("format", ""))
    schemes = [(names_of(group, "targets"), _weights(group, packed, own)) for group in groups]
    ignored = names_of(asked, "ignore")

    def of(row: LayerCount) -> Scheme | None:
        if is_named(row, ignored):
            return None
        return next((scheme for targets, scheme in schemes if is_named(row, targets)), None)

    inputs = (object_of(group, "input_activations") for group in groups)
    # A machine has one width of activations: that of the group with the widest.
    activations = max((own if x is None else bits_of(x, "num_bits") for x in inputs), default=None)
    cache = object_of(asked, "kv_cache_scheme")
    return Quantised(of, activations, cache and bits_of(cache, "num_bits"))


def _weights(group: Config, packed: str, own: float) -> Scheme | None:
    """How the weights of a group are stored; None where they are not quantised."""
    asked = object_of(group, "weights")
    if asked is None:
        return None
    bits, strategy = bits_of(asked, "num_bits"), asked.content.get("strategy")
    if strategy is None:
        strategy = "tensor" if asked.content.get("group_size") is None else "group"
    in_floats = str(group.content.get("format") or packed).startswith(("nvfp4", "mxfp4"))
    extra = 8 if in_floats else own  # a scale, of the number format of the model
    if not asked.flag("symmetric", default=True):
        extra += bits  # a zero point
    if strategy == "tensor":
        return scaled(bits, extra)
    if strategy == "channel":
        return scaled(bits, extra, 1)
    if strategy == "group":
        return scaled(bits, extra, 1, group_of(asked, "group_size"))
    if strategy == "block":
        return scaled(bits, extra, *block_of(asked, "block_structure"))
    if strategy == "tensor_group":  # NVFP4: the scales have one of their own, in FP32
        entry, whole = scaled(bits, extra, 1, group_of(asked, "group_size")), scaled(0, 32)
        return lambda inputs, outputs: entry(inputs, outputs) + whole(inputs, outputs)
    raise asked.wrong("strategy", strategy, "must be tensor, channel, group, tensor_group or block")
