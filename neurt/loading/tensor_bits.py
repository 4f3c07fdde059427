"""How wide the tensors of safetensors files are, from their headers alone. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from neurt.loading.directory import weight_files
from neurt.loading.source import ModelError

#: Bits by the format that a header names; what is not among them says nothing.
_BITS = {
    **dict.fromkeys(("F64", "F32"), 32.0),
    **dict.fromkeys(("F16", "BF16"), 16.0),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2"), 8.0),
}


class TensorBits:
    """Bits of an entry of each tensor of a checkpoint.

    Floating-point numbers of 64 bits are read as 32, as the model is loaded.
    """

    def __init__(self, bits: Mapping[str, float], largest: float | None = None) -> None:
        self._bits = dict(bits)
        #: of the largest matrix, which is the embedding where the head has no tensor of its own
        self.largest = largest

    def of(self, layer: str, kind: str) -> float | None:
        """Bits of a parameter (`weight`, `bias`) of a layer; None where no tensor has its name.

        A checkpoint of the model below the head leaves out the first part of names.
        """
        below = layer.partition(".")[2] or layer
        names = (f"{layer}.{kind}", f"{below}.{kind}")
        return next((self._bits[name] for name in names if name in self._bits), None)


def tensor_bits(directory: Path) -> TensorBits | None:
    """What the weights of a directory are stored in; None where there are none that can be read.

    What is wrong with them says whoever loads them: a plan needs none.
    """
    bits: dict[str, float] = {}
    sizes: dict[str, int] = {}
    try:
        for file in weight_files(directory):
            with safe_open(file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118, it is no mapping
                    tensor = opened.get_slice(name)
                    if (wide := _BITS.get(tensor.get_dtype())) is not None:
                        bits[name] = wide
                        shape = tensor.get_shape()
                        sizes[name] = prod(shape) if len(shape) > 1 else 0
    except (ModelError, SafetensorError, OSError):
        return None
    largest = max(sizes, key=sizes.__getitem__, default=None)
    return TensorBits(bits, None if largest is None else bits[largest])
