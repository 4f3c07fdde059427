"""Quantised matrices as floating-point numbers, from the tensors that a checkpoint packs them in.

Every function is arithmetic on tensors of one layer, as the package that wrote them defines it:
no library of theirs is needed, and none of their code is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

#: Tensors of one layer, by the last part of their names.
Parts = Mapping[str, Tensor]

#: Magnitudes of FP4 (E2M1) by the code without its sign (OCP Microscaling Formats 1.0).
_FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
#: Which of 8 neighbouring columns the digits of a word of AWQ are, the lowest first.
_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
_BLOCK = 32  # values in `bits` words of 32 bits


def unpacked(words: Tensor, bits: int) -> Tensor:
    """Unsigned numbers (..., n 32 / bits) of a stream of words (..., n), the lowest bits first."""
    wide = words.to(torch.int64) & 0xFFFFFFFF
    if 32 % bits == 0:
        shifts = torch.arange(0, 32, bits, device=words.device)
        digits: Tensor = (wide.unsqueeze(-1) >> shifts) & (2**bits - 1)
        return digits.flatten(-2)
    # A number may begin in one word and end in the next.
    wide = torch.nn.functional.pad(wide, (0, -wide.shape[-1] % bits))
    blocks = wide.unflatten(-1, (-1, bits))
    found = []
    for start in range(0, _BLOCK * bits, bits):
        word, shift = divmod(start, 32)
        value = blocks[..., word] >> shift
        if shift + bits > 32:
            value = value | (blocks[..., word + 1] << (32 - shift))
        found.append(value & (2**bits - 1))
    return torch.stack(found, -1).flatten(-2)


def spread(scales: Tensor, shape: tuple[int, int], block: tuple[int, int] | None = None) -> Tensor:
    """Scales of blocks of a matrix as one for each of its entries (rows, columns).

    Args:
        scales: One for all, for each row (rows, 1), or for each block (rows, columns) of blocks.
        shape: Of the matrix.
        block: Rows and columns of a block; unless given, what divides the matrix evenly.
    """
    scales = scales.reshape(1, 1) if scales.numel() == 1 else scales
    scales = scales.unsqueeze(-1) if scales.dim() == 1 else scales
    for dim, (size, number) in enumerate(zip(shape, scales.shape, strict=True)):
        if number not in (1, size):
            of_each = size // number if block is None else block[dim]
            scales = scales.repeat_interleave(of_each, dim).narrow(dim, 0, size)
    return scales


def gptq(parts: Parts, bits: int, group: int | None, *, one_less: bool) -> Tensor:
    """The weights (out, in) of a layer of GPTQ.

    Args:
        parts: `qweight`, packed along the inputs; `qzeros`, packed along the outputs; `scales`
            (groups, out); and maybe `g_idx`, the group of each input.
        bits: Of an entry.
        group: Inputs of a group where no `g_idx` says it; None for all of them.
        one_less: Whether zero points are stored less one, as by the first version of the format.
    """
    codes = unpacked(parts["qweight"].T, bits)  # (out, in)
    scales = parts["scales"]
    zeros = unpacked(parts["qzeros"], bits)[:, : scales.shape[1]] + one_less
    zeros = zeros & (2**bits - 1)
    inputs = codes.shape[1]
    of_input = torch.arange(inputs, device=codes.device) // (group or inputs)
    index = parts["g_idx"].long() if "g_idx" in parts else of_input
    weights: Tensor = (codes - zeros[index].T).float() * scales[index].T.float()
    return weights


def awq(parts: Parts, group: int | None) -> Tensor:
    """The weights (out, in) of a layer of AWQ, 4 bits, as its `gemm` layout packs them.

    Args:
        parts: `qweight` (in, out / 8), `scales` (groups, out), maybe `qzeros` (groups, out / 8).
        group: Inputs of a group; None for all of them.
    """
    order = torch.tensor(_AWQ_ORDER, device=parts["qweight"].device).argsort()

    def columns(words: Tensor) -> Tensor:
        eights: Tensor = unpacked(words, 4).unflatten(-1, (-1, 8))[..., order]
        return eights.flatten(-2)

    codes, scales = columns(parts["qweight"]), parts["scales"].float()
    zeros = columns(parts["qzeros"]) if "qzeros" in parts else torch.zeros_like(scales)
    index = torch.arange(len(codes), device=codes.device) // (group or len(codes))
    weights: Tensor = ((codes - zeros[index]).float() * scales[index]).T
    return weights


def int8(parts: Parts) -> Tensor:
    """The weights (out, in) of `LLM.int8()`: `SCB` is the largest weight of each row."""
    return parts["weight"].float() * (parts["SCB"].float() / 127).unsqueeze(-1)


def four_bits(parts: Parts, state: Mapping[str, object]) -> Tensor:
    """The weights (out, in) of NF4 or FP4 as bitsandbytes packs them, two in a byte.

    Args:
        parts: `weight`; `absmax` of each block; `quant_map`, the 16 values; where scales are
            quantised too, `nested_absmax` and `nested_quant_map`.
        state: `shape`, `blocksize`, and `nested_blocksize` and `nested_offset` of those.
    """
    bytes_ = parts["weight"].flatten().to(torch.int64)
    codes = torch.stack([bytes_ >> 4, bytes_ & 15], -1).flatten()
    scales = parts["absmax"]
    if "nested_absmax" in parts:
        each = parts["nested_quant_map"].float()[scales.long()]
        of_block = parts["nested_absmax"].float()
        size = int(str(state["nested_blocksize"]))
        scales = each * of_block.repeat_interleave(size)[: len(each)]
        scales = scales + float(str(state["nested_offset"]))
    size = int(str(state["blocksize"]))
    shape = [int(x) for x in state["shape"]]  # type: ignore[attr-defined]
    entries = shape[0] * shape[1]
    values = parts["quant_map"].float()[codes[:entries]]
    return (values * scales.float().repeat_interleave(size)[:entries]).view(*shape)


def state_of(blob: Tensor) -> dict[str, object]:
    """What bitsandbytes says of a matrix: a JSON object, as bytes in a tensor."""
    found = json.loads(bytes(blob.tolist()))
    if not isinstance(found, dict):
        raise TypeError("the state of a quantised matrix must be a JSON object")
    return found


def fp4(packed: Tensor) -> Tensor:
    """FP4 values (..., 2 n) of bytes (..., n), the lower half first."""
    table = torch.tensor(_FP4 + tuple(-x for x in _FP4), device=packed.device)
    low, high = (packed & 15).long(), (packed >> 4).long()
    return table[torch.stack([low, high], -1).flatten(-2)]


def mxfp4(blocks: Tensor, scales: Tensor) -> Tensor:
    """Weights (experts, in, out) of blocks (experts, out, groups, 16) that share a power of two."""
    exponents = (scales.to(torch.int32) - 127).unsqueeze(-1)
    return torch.ldexp(fp4(blocks), exponents).flatten(-2).transpose(-1, -2)


def compressed(parts: Parts, bits: int, block: tuple[int, int] | None = None) -> Tensor:
    """The weights (out, in) of a layer of compressed-tensors.

    Args:
        parts: `weight` in few bits, or `weight_packed`, whole numbers with their `weight_shape` or
            FP4 in bytes, maybe with a `weight_global_scale`; `weight_scale`; and maybe
            `weight_zero_point` and `weight_g_idx`.
        bits: Of an entry.
        block: Outputs and inputs that share a scale, where they are blocks.
    """
    scale = parts["weight_scale"]
    # An exponent of two alone (MX), or a number.
    scale = torch.exp2(scale.float() - 127) if scale.dtype is torch.uint8 else scale.float()
    if "weight_packed" in parts and parts["weight_packed"].dtype is torch.uint8:
        values = fp4(parts["weight_packed"])
        if "weight_global_scale" in parts:
            scale = scale / parts["weight_global_scale"].float()
    elif "weight_packed" in parts:
        rows, columns = (int(x) for x in parts["weight_shape"])
        values = unpacked(parts["weight_packed"], bits)[:rows, :columns] - 2 ** (bits - 1)
    else:
        values = parts["weight"]
    shape = (values.shape[0], values.shape[1])
    zero = parts.get("weight_zero_point")
    if zero is not None and "weight_packed" in parts and zero.dtype is torch.int32:
        zero = (unpacked(zero.T, bits)[:, : shape[0]] - 2 ** (bits - 1)).T
    if "weight_g_idx" in parts and int(parts["weight_g_idx"].min()) >= 0:
        index = parts["weight_g_idx"].long()
        scale, zero = scale[:, index], None if zero is None else zero[:, index]
    out = values.float()
    if zero is not None:
        out = out - spread(zero.float(), shape, block)
    return out * spread(scale, shape, block)


def scaled(parts: Parts, block: tuple[int, int] | None = None) -> Tensor:
    """The weights (out, in) of FP8 with scales: `weight_scale_inv` or `weight_scale`."""
    scale = parts["weight_scale_inv"] if "weight_scale_inv" in parts else parts["weight_scale"]
    weight = parts["weight"].float()
    return weight * spread(scale.float(), (weight.shape[0], weight.shape[1]), block)
