"""What a checkpoint says of the widths of its values: a `config.json`, or a GGUF file. No torch.

Bits of an entry of a matrix include its share of the scales and zero points that are read with it.
Embeddings, norms, biases and the head keep the number format of the checkpoint, unless it says that
they are quantised too. Where nothing is quantised, each tensor is as wide as the safetensors file
has it, whatever the configuration says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

from energy.counts import LayerCount
from hwmodels import Op
from hwmodels.plain import quoted
from neurt.loading.gguf.contents import GGUFHeader
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import names_of_file
from neurt.loading.quantised.methods import quantisation_of
from neurt.loading.quantised.scheme import Quantised
from neurt.loading.sizes import config_of_source
from neurt.loading.source import ModelError, ModelSource, read_config
from neurt.loading.tensor_bits import TensorBits, tensor_bits


class RowBits(NamedTuple):
    """Bits of what a layer reads of a checkpoint; None where the checkpoint does not say."""

    weights: float | None = None  #: of an entry of its weight matrix
    vectors: float | None = None  #: of its biases or scales, or of a row that it looks up


def _nothing(_row: LayerCount) -> RowBits:
    return RowBits()


@dataclass(frozen=True)
class CheckpointWidths:
    """Bits of the values of a model as its checkpoint has them; None where it does not say."""

    of_row: Callable[[LayerCount], RowBits] = _nothing  #: of what a layer reads
    activations: float | None = None  #: of what products read
    kv: float | None = None  #: of entries of the cache


#: What is said of random weights, and of a model that is in memory.
UNSAID = CheckpointWidths()

#: Bits by the `dtype` of a `config.json`. What says nothing is as wide as FP32, or as the machine.
_FORMATS: dict[str, float | None] = {
    **dict.fromkeys(("float32", "float64", "auto"), None),
    **dict.fromkeys(("float16", "bfloat16"), 16),
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2"), 8),
}
_FP32 = 32.0


def checkpoint_widths(source: ModelSource, *, weights_known: bool = False) -> CheckpointWidths:
    """What the checkpoint of a model says; nothing where it is not on this machine.

    Args:
        source: The model.
        weights_known: Whether somebody else says how wide weights are: then a quantisation that is
            not known here is no error.

    Raises:
        ModelError: If its number format or its quantisation is not known.
        ShapeError: If a number of its quantisation is impossible.
    """
    if source.file is not None:
        return _of_gguf(
            read_header(source.file), tied=source.shape is not None and source.shape.tied
        )
    path = config_of_source(source)
    if path is None:
        return UNSAID
    config = read_config(path)
    tied = bool(config.get("tie_word_embeddings")) if source.shape is None else source.shape.tied
    # What a package ships is stored in half precision to be small, and stands for FP32.
    # Of a configuration alone nobody knows whose weights lie beside it.
    stored = None if source.shipped or source.config else tensor_bits(path.parent)
    return of_config(config, source.asked, tied=tied, weights_known=weights_known, stored=stored)


def of_config(
    config: Mapping[str, Any],
    name: str,
    *,
    tied: bool = False,
    weights_known: bool = False,
    stored: TensorBits | None = None,
) -> CheckpointWidths:
    """What a `config.json` says, of a model whose head may be its embedding (`tied`).

    Of weights that are not quantised the file itself knows better (`stored`), where it is there.
    """
    said = str(config.get("dtype") or config.get("torch_dtype") or "auto").removeprefix("torch.")
    if said not in _FORMATS:
        raise ModelError(
            f"model '{name}': 'dtype' (= {quoted(said)}) is no number format that is known here; "
            f"known are {', '.join(_FORMATS)}"
        )
    own = _FORMATS[said]
    quantised = quantisation_of(config, name, own or _FP32, weights_known=weights_known)
    if quantised is None and stored is not None:
        return CheckpointWidths(partial(_stored_bits, stored, own), own, own)

    def of_row(row: LayerCount) -> RowBits:
        if not row.tally.ops.get(Op.WEIGHT_READ):
            return RowBits(None, own) if _reads_parameters(row) else RowBits()
        is_embedding = tied and row.label.component == "lm_head"
        bits = None if quantised is None or is_embedding else _quantised_bits(row, quantised)
        return RowBits(own if bits is None else bits, own)

    if quantised is None:
        return CheckpointWidths(of_row, own, own)
    return CheckpointWidths(of_row, quantised.activations or own, quantised.kv or own)


def _stored_bits(stored: TensorBits, own: float | None, row: LayerCount) -> RowBits:
    """Bits of what a layer reads, by its tensors; in FP32 they say nothing beside a silent config.

    A head without a tensor of its own is the embedding, which is the largest matrix.
    """
    weight, bias = (stored.of(row.name, kind) for kind in ("weight", "bias"))
    reads_matrix = bool(row.tally.ops.get(Op.WEIGHT_READ))
    if not reads_matrix and not _reads_parameters(row):
        return RowBits()
    # The scale and the bias of a norm are alike; a row that is looked up is one of a matrix.
    matrix, vector = (weight or stored.largest, bias) if reads_matrix else (None, weight)

    def said(bits: float | None) -> float | None:
        return own if bits is None or (own is None and bits >= _FP32) else bits

    return RowBits(said(matrix) if reads_matrix else None, said(vector))


def _quantised_bits(row: LayerCount, quantised: Quantised) -> float | None:
    scheme = quantised.scheme(row)
    return None if scheme is None else scheme(*_matrix(row))


def _matrix(row: LayerCount) -> tuple[float, float]:
    """Inputs and outputs of the weight matrix of a layer, from what was counted in it."""
    tally, calls = row.tally, max(1, row.calls)
    entries = tally.ops[Op.WEIGHT_READ] / calls
    if tally.slots:
        outputs = tally.dense_macs / tally.slots
    else:
        vectors = tally.dense_macs / tally.ops[Op.WEIGHT_READ]
        outputs = tally.ops.get(Op.ACTIVATION_WRITE, 0) / calls / max(1, vectors)
    outputs = max(1, outputs)
    return entries / outputs, outputs


def _reads_parameters(row: LayerCount) -> bool:
    """Whether the vectors of a layer are in the checkpoint: thresholds and angles are not."""
    ops, about = row.tally.ops, f"{row.label.component} {row.kind}".lower()
    return bool(ops.get(Op.VECTOR_READ)) and Op.NEURON_UPDATE not in ops and "rotary" not in about


def _of_gguf(header: GGUFHeader, *, tied: bool) -> CheckpointWidths:
    """Bits of each tensor of a file, which may differ from layer to layer."""
    outside, named = names_of_file(header)
    stored: dict[str, list[int]] = {}
    for name, tensor in header.tensors.items():
        if parameter := named(name):
            # Several tensors may be of one layer: those of a gate and of what it gates.
            held = stored.setdefault(parameter, [0, 0])
            held[0] += 8 * tensor.n_bytes
            held[1] += prod(tensor.shape)
    bits = {parameter: held[0] / held[1] for parameter, held in stored.items()}
    if tied:
        bits.setdefault("lm_head.weight", bits[f"{outside['token_embd']}.weight"])

    def of_row(row: LayerCount) -> RowBits:
        weight, bias = (bits.get(f"{row.name}.{kind}") for kind in ("weight", "bias"))
        if row.tally.ops.get(Op.WEIGHT_READ):
            return RowBits(weight, bias)
        # The scale and the bias of a norm have as many entries.
        both = [x for x in (weight, bias) if x is not None]
        return RowBits(None, sum(both) / len(both) if both else None)

    return CheckpointWidths(of_row)
