"""Which tensors a GGUF file must have: their names and shapes, which follow from the sizes."""

from __future__ import annotations

import re
from itertools import chain

from hwmodels.plain import quoted
from neurt.families import Shape, family_of
from neurt.loading.gguf.contents import GGUFError, GGUFHeader

#: Divisors of the frequencies of rotary positions, one for each pair of channels.
ROPE_FREQS = "rope_freqs.weight"
#: The output layer, which a tied model may hold as a copy of its embedding.
OUTPUT = "output.weight"
_IN_BLOCK = re.compile(r"blk\.(0|[1-9][0-9]{0,8})\.(.+)")

_Shapes = dict[str, tuple[int, ...]]


def part_of(header: GGUFHeader) -> tuple[int, int]:
    """Which part of how many a file is, counted from 1: (1, 1) for a whole model.

    Raises:
        GGUFError: If it says what cannot be.
    """
    parts, number = header.integer("split.count", 1), header.metadata.get("split.no", 0)
    if type(number) is not int or not 0 <= number < parts:
        raise header.wrong("split.no", f"0 to {parts - 1}, for 'split.count' is {parts}")
    return number + 1, parts


def n_tensors(shape: Shape) -> int:
    """Tensors of a model of these sizes, beside those that it may have."""
    return len(_outside(shape)) + shape.layers * len(_block(shape))


def check_tensors(header: GGUFHeader, shape: Shape) -> None:
    """Make sure that a file has the tensors of its sizes and no others.

    The first part of several may lack some, but says how many all of them have.

    Raises:
        GGUFError: If one is missing, too many, or of another shape.
    """
    outside, block = _outside(shape), _block(shape)
    optional = _output(shape)
    if family_of(shape.model_type).attention.rotary:
        optional[ROPE_FREQS] = (shape.head_width // 2,)
    for name, tensor in header.tensors.items():
        within = _IN_BLOCK.fullmatch(name)
        if within is None:
            wanted = (optional | outside).get(name)
        else:
            wanted = block.get(within[2]) if int(within[1]) < shape.layers else None
        if wanted is None:
            raise GGUFError(
                f"tensor {quoted(name)} of '{header.path}' has no place in a {shape.model_type} "
                "of its sizes"
            )
        if tensor.shape != wanted:
            raise GGUFError(
                f"tensor {quoted(name)} of '{header.path}' has the shape {tensor.shape}, where "
                f"its sizes want {wanted}"
            )
    beside = len(header.tensors.keys() & (optional.keys() - outside.keys()))
    wanted_in_all = n_tensors(shape) + beside
    if part_of(header)[1] > 1:
        if header.integer("split.tensors.count") != wanted_in_all:
            raise header.wrong("split.tensors.count", f"{wanted_in_all} for its sizes")
    elif (missing := wanted_in_all - len(header.tensors)) > 0:
        blocks = (f"blk.{depth}.{name}" for depth in range(shape.layers) for name in block)
        first = next(name for name in chain(outside, blocks) if name not in header.tensors)
        raise GGUFError(
            f"'{header.path}' lacks {missing:,} of its {wanted_in_all:,} tensors, first '{first}'; "
            "download it again"
        )


def _output(shape: Shape) -> _Shapes:
    return {OUTPUT: (shape.vocabulary, shape.width)}


def _outside(shape: Shape) -> _Shapes:
    """Shapes of the tensors outside the blocks."""
    found: _Shapes = {"token_embd.weight": (shape.vocabulary, shape.width)}
    if shape.model_type == "gpt2":
        found["position_embd.weight"] = (shape.positions, shape.width)
    return found | _norm("output_norm", shape) | ({} if shape.tied else _output(shape))


def _block(shape: Shape) -> _Shapes:
    """Shapes of the tensors in each block."""
    width, inner = shape.width, shape.inner
    norms = _norm("attn_norm", shape) | _norm("ffn_norm", shape)
    mixed = _linear("attn_output", width, shape.query_width, biased=shape.out_bias)
    up = _linear("ffn_up", inner, width, biased=shape.ffn_bias)
    down = _linear("ffn_down", width, inner, biased=shape.ffn_bias)
    if shape.model_type == "gpt2":
        return norms | _linear("attn_qkv", 3 * width, width, biased=True) | mixed | up | down
    inputs: _Shapes = {}
    for name in ("attn_q", "attn_k", "attn_v"):
        rows = shape.query_width if name == "attn_q" else shape.kv_width
        inputs |= _linear(name, rows, width, biased=shape.qkv_bias)
    for name in family_of(shape.model_type).attention.norms:
        inputs[f"attn_{name}.weight"] = (shape.head_width,)
    gate = _linear("ffn_gate", inner, width, biased=shape.ffn_bias)
    return norms | inputs | mixed | gate | up | down


def _linear(name: str, rows: int, columns: int, *, biased: bool) -> _Shapes:
    bias: _Shapes = {f"{name}.bias": (rows,)} if biased else {}
    return {f"{name}.weight": (rows, columns)} | bias


def _norm(name: str, shape: Shape) -> _Shapes:
    """A norm, which has a bias in GPT-2."""
    kinds = ("weight", "bias") if shape.model_type == "gpt2" else ("weight",)
    return {f"{name}.{kind}": (shape.width,) for kind in kinds}
