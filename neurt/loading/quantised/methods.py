"""The quantisations that are known, each as its package packs it.

GPTQ (arXiv:2210.17323) and AWQ (arXiv:2306.00978); bitsandbytes (LLM.int8(), arXiv:2208.07339; NF4,
arXiv:2305.14314); FP8 in blocks as in DeepSeek-V3 (arXiv:2412.19437), by tensors, or by rows
(FBGEMM); MXFP4 (OCP Microscaling Formats 1.0); compressed-tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil
from typing import Any

from energy.counts import LayerCount
from hwmodels.plain import quoted
from neurt.families.config import Config
from neurt.loading.quantised.compressed import compressed_tensors
from neurt.loading.quantised.scheme import (
    Quantised,
    Scheme,
    all_but_head,
    bits_of,
    block_of,
    group_of,
    is_named,
    names_of,
    object_of,
    scaled,
)
from neurt.loading.source import ModelError


def quantisation_of(
    config: Mapping[str, Any], name: str, own: float, *, weights_known: bool = False
) -> Quantised | None:
    """How a checkpoint is quantised; None where it is not.

    Args:
        config: Its `config.json`.
        name: What to call the model in an error message.
        own: Bits of its number format, which scales of compressed-tensors have too.
        weights_known: See `widths.checkpoint_widths`.

    Raises:
        ModelError: If it is quantised in a way that is not known here.
        ShapeError: If a number is impossible.
    """
    whole = Config(config, name)
    asked = object_of(whole, "quantization_config") or object_of(whole, "compression_config")
    if asked is None or not asked.content:
        return None
    said = asked.content
    loads = said.get("load_in_8bit") or said.get("load_in_4bit")
    method = said.get("quant_method", "bitsandbytes" if loads else None)
    read = METHODS.get(method) if isinstance(method, str) else None
    found = None if read is None else read(asked, own)
    if found is None and not weights_known:
        raise ModelError(
            f"model '{name}' is quantised by {quoted(method)} in a way whose bits per weight are "
            f"not known here (known: {', '.join(METHODS)}); give them, as --widths weights=4.5"
        )
    return found


def _gptq(asked: Config, _own: float) -> Quantised | None:
    if asked.content.get("dynamic"):  # bits by patterns of names
        return None
    bits = bits_of(asked, "bits")
    # Its files have zero points, symmetric or not.
    packed = scaled(bits, 16 + bits, 1, group_of(asked, "group_size"))
    ordered = asked.flag("desc_act", default=False)
    head = asked.flag("lm_head", default=False)
    only = names_of(asked, "modules_in_block_to_quantize")

    def scheme(inputs: float, outputs: float) -> float:
        # In the order of activations each input says in 32 bits which group it is in.
        return packed(inputs, outputs) + (32 / outputs if ordered else 0)

    def of(row: LayerCount) -> Scheme | None:
        if row.label.component == "lm_head":
            return scheme if head else None
        return scheme if not only or is_named(row, only) else None

    return Quantised(of)


def _awq(asked: Config, _own: float) -> Quantised:
    bits = bits_of(asked, "bits", "w_bit")
    zero = bits if asked.flag("zero_point", default=True) else 0
    packed = scaled(bits, 16 + zero, 1, group_of(asked, "group_size", "q_group_size"))
    return all_but_head(packed, names_of(asked, "modules_to_not_convert"))


def _bitsandbytes(asked: Config, _own: float) -> Quantised | None:
    kept = names_of(asked, "llm_int8_skip_modules")
    if asked.flag("load_in_8bit", default=False):
        return all_but_head(scaled(8, 32, 1), kept)  # the largest weight of each row, in FP32
    if not asked.flag("load_in_4bit", default=False):
        return None
    twice = asked.flag("bnb_4bit_use_double_quant", default=False)
    return all_but_head(partial(_four_bits, twice), kept)


def _four_bits(twice: bool, inputs: float, outputs: float) -> float:
    """Blocks of 64 with a scale in FP32; or in 8 bits, of which 256 share one in FP32."""
    entries = inputs * outputs
    blocks = ceil(entries / 64)
    scales = 8 * blocks + 32 * ceil(blocks / 256) if twice else 32 * blocks
    return 4 + scales / entries


def _fp8(asked: Config, _own: float) -> Quantised:
    named = asked.content.get("weight_block_size") is not None
    rows, columns = block_of(asked, "weight_block_size") if named else (None, None)
    kept = names_of(asked, "modules_to_not_convert")
    return all_but_head(scaled(8, 32, rows, columns), kept, activations=8)


def _fbgemm(asked: Config, _own: float) -> Quantised:
    return all_but_head(scaled(8, 32, 1), names_of(asked, "modules_to_not_convert"), activations=8)


def _mxfp4(asked: Config, _own: float) -> Quantised:
    return all_but_head(scaled(4, 8, 1, 32), names_of(asked, "modules_to_not_convert"))


#: By `quant_method`: from what is said, and the bits of the number format, to how it is quantised;
#: None where what is said is not known here.
METHODS: dict[str, Callable[[Config, float], Quantised | None]] = {
    "gptq": _gptq,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm_fp8": _fbgemm,
    "mxfp4": _mxfp4,
    "compressed-tensors": compressed_tensors,
}
