"""A quantised checkpoint as the dense one that it stands for, layer by layer.

The hooks then see linear layers like any other, and bills take widths from the configuration.
Activations are not rounded: what a checkpoint says of their scales is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import ceil
from typing import Any

import torch
from torch import Tensor

from hwmodels.plain import printable, quoted, shortened
from neurt.families.config import Config
from neurt.loading.quantised import values
from neurt.loading.quantised.scheme import bits_of, block_of, group_of, object_of
from neurt.loading.quantised.values import Parts
from neurt.loading.source import ModelError

#: Makes the weights of a layer of its tensors; None where they are no quantised ones.
Unpack = Callable[[Parts], Tensor | None]

#: The last parts of the names of tensors that belong to the weights of a layer, the longest first.
_TAILS = (
    *("weight.nested_absmax", "weight.nested_quant_map", "weight.absmax", "weight.quant_map"),
    *("weight_packed", "weight_scale_inv", "weight_scale", "weight_zero_point", "weight_shape"),
    *("weight_g_idx", "weight_global_scale", "weight_format", "qweight", "qzeros", "scales"),
    *("g_idx", "SCB", "weight"),
)
#: Those of activations and of the cache.
_OF_ACTIVATIONS = (
    *("input_scale", "input_zero_point", "input_global_scale", "activation_scale"),
    *("output_scale", "output_zero_point", "k_scale", "v_scale", "input_scale_ub"),
)
_STATE = "weight.quant_state.bitsandbytes__"


class Packed:
    """How the tensors of a quantised checkpoint hold the weights of its layers.

    Args:
        config: Its `config.json`.
        name: What to call it in an error message.

    Raises:
        ModelError: If it is quantised in a way that is not unpacked here.
    """

    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        self._name, self._unpack = name, _method(config, name)

    def sort(self, keys: Iterable[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
        """Which tensors are parameters as they are, and which hold those of a layer.

        Args:
            keys: Names of tensors.

        Returns:
            The former; and, by the parameter that they stand for, the others by the last part of
            their names. Those of activations are in neither.

        Raises:
            ModelError: If none is quantised.
        """
        plain, layers = list[str](), dict[str, dict[str, str]]()
        for key in keys:
            layer, tail = _split(key)
            if tail is None:
                plain.append(key)
            elif tail:
                layers.setdefault(layer, {})[tail] = key
        packed: dict[str, dict[str, str]] = {}
        for layer, parts in layers.items():
            if parts.keys() == {"weight"}:
                plain += parts.values()
            else:
                packed[layer if "blocks" in parts else f"{layer}.weight"] = parts
        if not packed:
            raise ModelError(
                f"weights of '{self._name}' cannot be unpacked: its config.json says in "
                "'quantization_config' that they are quantised, and none of its tensors is; take "
                "it out, or download the weights again"
            )
        return plain, packed

    def dense(self, parameter: str, parts: Parts) -> Tensor | None:
        """The weights that tensors of a layer stand for; None where they are no quantised ones.

        Raises:
            ModelError: If they do not fit each other (names the layer).
        """
        try:
            return self._unpack(parts)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            layer = quoted(parameter.removesuffix(".weight"))
            raise ModelError(
                f"weights of '{self._name}' cannot be unpacked: those of {layer} do not fit each "
                f"other or its 'quantization_config' ({shortened(printable(why))})"
            ) from error


def unpacked(
    state: Mapping[str, Tensor], config: Mapping[str, Any], name: str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The tensors of a checkpoint with dense weights, by name.

    Args:
        state: Those of a quantised one.
        config: Its `config.json`.
        name: What to call it in an error message.
        dtype: Of the weights.

    Raises:
        ModelError: See `Packed`.
    """
    packed = Packed(config, name)
    plain, layers = packed.sort(state)
    found = {key: state[key] for key in plain}
    for parameter, parts in layers.items():
        weights = packed.dense(parameter, {tail: state[key] for tail, key in parts.items()})
        if weights is None:
            found |= {key: state[key] for key in parts.values()}
        else:
            found[parameter] = weights.to(dtype).contiguous()
    return found


def _split(key: str) -> tuple[str, str | None]:
    """Layer and part of the name of a tensor: no part if it is none, an empty one to leave out."""
    for tail in _OF_ACTIVATIONS:
        if key.endswith(f".{tail}"):
            return "", ""
    if f".{_STATE}" in key:
        return key.partition(f".{_STATE}")[0], "state"
    for last in ("blocks", "scales"):  # of MXFP4, whose parameters have names of their own
        if key.endswith(f"_{last}"):
            return key.removesuffix(f"_{last}"), last
    for tail in _TAILS:
        if key.endswith(f".{tail}"):
            return key.removesuffix(f".{tail}"), tail.removeprefix("weight.")
    return key, None


def _method(config: Mapping[str, Any], name: str) -> Unpack:
    whole = Config(config, name)
    asked = object_of(whole, "quantization_config") or object_of(whole, "compression_config")
    assert asked is not None, "whoever calls has seen it"
    said = asked.content
    loads = said.get("load_in_8bit") or said.get("load_in_4bit")
    method = said.get("quant_method", "bitsandbytes" if loads else None)
    make = _METHODS.get(method) if isinstance(method, str) else None
    found = None if make is None else make(asked)
    if found is None:
        raise ModelError(
            f"weights of '{name}' are quantised by {quoted(method)} in a way that is not unpacked "
            f"here (unpacked are {', '.join(_METHODS)}); use `neurt-energy plan`, which needs no "
            "weights, or save them dense with the library that quantised them"
        )
    return found


def _gptq(asked: Config) -> Unpack | None:
    if asked.content.get("dynamic"):  # bits by patterns of names
        return None
    bits, group = bits_of(asked, "bits"), group_of(asked, "group_size")
    first = asked.content.get("checkpoint_format", "gptq") == "gptq"

    def unpack(parts: Parts) -> Tensor | None:
        return values.gptq(parts, bits, group, one_less=first) if "qweight" in parts else None

    return unpack if asked.content.get("checkpoint_format", "gptq") in ("gptq", "gptq_v2") else None


def _awq(asked: Config) -> Unpack | None:
    version = str(asked.content.get("version") or asked.content.get("format") or "gemm").lower()
    if version != "gemm" or bits_of(asked, "bits", "w_bit") != 4:
        return None
    group = group_of(asked, "group_size", "q_group_size")
    return lambda parts: values.awq(parts, group) if "qweight" in parts else None


def _bitsandbytes(_asked: Config) -> Unpack:
    def unpack(parts: Parts) -> Tensor | None:
        if "SCB" in parts:
            return values.int8(parts)
        return (
            values.four_bits(parts, values.state_of(parts["state"])) if "state" in parts else None
        )

    return unpack


def _fp8(asked: Config) -> Unpack:
    named = asked.content.get("weight_block_size") is not None
    block = block_of(asked, "weight_block_size") if named else None
    scales = {"weight_scale", "weight_scale_inv"}
    return lambda parts: values.scaled(parts, block) if scales & parts.keys() else None


def _mxfp4(_asked: Config) -> Unpack:
    def unpack(parts: Parts) -> Tensor | None:
        return values.mxfp4(parts["blocks"], parts["scales"]) if "blocks" in parts else None

    return unpack


def _compressed(asked: Config) -> Unpack | None:
    sparsity = object_of(asked, "sparsity_config")
    if sparsity is not None and sparsity.content.get("format", "dense") != "dense":
        return None
    listed = object_of(asked, "config_groups") or Config({}, asked.name)
    groups = [group for key in listed.content if (group := object_of(listed, key)) is not None]
    weights = [x for group in groups if (x := object_of(group, "weights")) is not None]
    bits = {bits_of(x, "num_bits") for x in weights}
    blocks = {block_of(x, "block_structure") for x in weights if x.content.get("block_structure")}
    if len(blocks) > 1:
        return None
    return partial(_of_compressed, bits, next(iter(blocks), None))


def _of_compressed(bits: set[int], block: tuple[int, int] | None, parts: Parts) -> Tensor | None:
    if "weight_scale" not in parts:
        return None
    own = bits
    if "weight_shape" in parts:  # of groups with other bits each, the ones that fill the words
        columns, words = int(parts["weight_shape"][1]), parts["weight_packed"].shape[1]
        own = {each for each in bits if ceil(columns * each / 32) == words}
    if "weight_packed" in parts and len(own) != 1:
        raise ValueError(f"{len(own)} of the groups could be theirs")
    return values.compressed(parts, next(iter(own), 8), block)


_METHODS: dict[str, Callable[[Config], Unpack | None]] = {
    "gptq": _gptq,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "compressed-tensors": _compressed,
}
