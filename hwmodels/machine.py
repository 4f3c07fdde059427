"""How a machine is taken to run a model: widths, fusion, encoding of spikes, room on the chip."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from hwmodels.defined import Defined
from hwmodels.ops import Op
from hwmodels.prices import Cited, PicojoulePerByte, Record, Reuse
from hwmodels.units import Magnitude

#: Least and most bits of a value. Weights have been stored in half a bit; 64 are a double.
MIN_BITS, MAX_BITS = 0.1, 64
#: A number of bits per value; group scales and zero points make it a fraction (AWQ: 4.156).
Bits = Annotated[float, Field(allow_inf_nan=False, strict=True), Magnitude(MIN_BITS, MAX_BITS)]
WholeBits = Annotated[int, Field(strict=True), Magnitude(1, MAX_BITS)]


#: Operands that have a width of their own.
Operand = Literal["weights", "activations", "vectors", "kv", "accumulators"]


class Widths(Record):
    """Bits of one value of each operand; None is the width of the profile's arithmetic.

    Attributes:
        weights: Entries of weight matrices, with their share of scales and zero points.
        activations: Inputs and results of layers.
        vectors: Biases, norm scales, thresholds, and looked-up rows of embeddings; None as
            `activations`.
        kv: Entries of the cache that are analog.
        accumulators: Partial sums, membrane potentials, and states of recurrences (Mamba), which
            are sums over all tokens.
    """

    weights: Bits | None = None
    activations: Bits | None = None
    vectors: Bits | None = None
    kv: Bits | None = None
    accumulators: WholeBits = 32

    def of(self, op: Op, own: float) -> float:
        """Bits of what a traffic operation moves, where the arithmetic is `own` bits wide."""
        if op in (Op.STATE_READ, Op.STATE_WRITE):
            return self.accumulators
        if op is Op.VECTOR_READ and self.vectors is not None:
            return self.vectors
        if op in (Op.KV_READ, Op.KV_WRITE):
            return own if self.kv is None else self.kv
        named = self.weights if op is Op.WEIGHT_READ else self.activations
        return own if named is None else named


class Fusion(Defined):
    """What moves between the products of a model."""

    UNFUSED = "unfused", "each function reads its input from memory and writes its result"
    FUSED = (
        "fused",
        "functions of single elements or rows run on values on their way between products, scores "
        "and weights of attention never leave the chip, each operand of a product with weights is "
        "written once and read once",
    )


class Encoding(Defined):
    """How spikes lie in memory."""

    CHEAPEST = "cheapest", "packed, bitmap or addresses, what has the fewest bits, per tensor"
    PACKED = "packed", "every slot with its payload, silent ones too"
    BITMAP = "bitmap", "one bit per slot, and the payload of each event"
    ADDRESSES = "addresses", "the address of each event within its vector, and its payload"


class Room(Defined):
    """Who gets the room on the chip."""

    BY_NEED = "by-need", "whatever uses a byte of it most often, parts of buffers included"
    FIXED_ORDER = "fixed-order", "weights, the cache, then the layer that runs, each buffer whole"


class Delivery(Cited):
    """Who brings a stored operand to the adder: a buffer beside it, and how often a fetch is used.

    A fetch is used at most as often as the operand is used in one call of its layer.

    Attributes:
        pj_per_byte: Energy to fetch one byte from that buffer, in picojoules.
        mac_reuse: Multiply-accumulates that share a fetch.
        event_reuse: Events that share one.
        reuse_range: Lowest and highest reuse that can be defended, of either.
    """

    pj_per_byte: PicojoulePerByte
    mac_reuse: Reuse
    event_reuse: Reuse
    reuse_range: tuple[Reuse, Reuse] | None = None

    @field_validator("reuse_range")
    @classmethod
    def _range_does_not_fall(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and ends[0] > ends[1]:
            raise ValueError(
                f"must be the lowest and the highest reuse, but {ends[0]:g} is more than "
                f"{ends[1]:g}"
            )
        return ends
