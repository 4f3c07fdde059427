"""The vocabulary that the meter counts in and the price list charges for."""

from __future__ import annotations

from enum import StrEnum


class Buffer(StrEnum):
    """What a byte of memory traffic belongs to; a profile places each in one of its levels."""

    WEIGHTS = "weights"
    ACTIVATIONS = "activations"
    SPIKES = "spikes"
    STATE = "state"
    KV_CACHE = "kv_cache"


class Op(StrEnum):
    """One billable operation; its value is the column that holds it in every CSV."""

    MAC = "mac"
    AC = "ac"
    SHIFT_AC = "shift_ac"
    ADD = "add"
    MUL = "mul"
    DIV = "div"
    EXP = "exp"
    SQRT = "sqrt"
    CMP = "cmp"
    NEURON_UPDATE = "neuron_update"
    SPIKE = "spike"
    SPIKE_HOP = "spike_hop"
    WEIGHT_READ = "weight_read_bytes"
    VECTOR_READ = "vector_read_bytes"
    ACTIVATION_READ = "activation_read_bytes"
    ACTIVATION_WRITE = "activation_write_bytes"
    SPIKE_READ = "spike_read_bytes"
    SPIKE_WRITE = "spike_write_bytes"
    STATE_READ = "state_read_bytes"
    STATE_WRITE = "state_write_bytes"
    KV_READ = "kv_read_bytes"
    KV_WRITE = "kv_write_bytes"
    KV_SPIKE_READ = "kv_spike_read_bytes"
    KV_SPIKE_WRITE = "kv_spike_write_bytes"

    # Enum hashes in Python; the meter hashes an Op a few thousand times per pass.
    __hash__ = str.__hash__

    @property
    def definition(self) -> str:
        """What one unit of this operation is, in one sentence."""
        return _DEFINITIONS[self]

    @property
    def group(self) -> str:
        """`compute`, `scalar`, `neuron`, `routing` or `memory`: the heading it is billed under."""
        return _GROUPS.get(self, "memory")

    @property
    def buffer(self) -> Buffer | None:
        """The buffer that a traffic operation touches; None for operations that are not traffic."""
        return _BUFFERS.get(self)

    @property
    def is_counted(self) -> bool:
        """Whether a meter can count it; a hop follows from a mapping of layers onto cores."""
        return self is not Op.SPIKE_HOP

    @property
    def is_read(self) -> bool:
        """Whether a traffic operation reads (otherwise it writes)."""
        return self.value.endswith("_read_bytes")

    @property
    def scales_with_precision(self) -> bool:
        """Whether the bytes follow the width of a value; packed spikes are one or two bits at any.

        Counts hold the bytes of the model that ran (FP32: 4 per value). A profile of another
        precision moves fewer, so pricing multiplies by `value_bytes` of the profile over that of
        the counts.
        """
        return self.buffer is not None and "spike" not in self.value


_GROUPS = (
    dict.fromkeys((Op.MAC, Op.AC, Op.SHIFT_AC), "compute")
    | dict.fromkeys((Op.ADD, Op.MUL, Op.DIV, Op.EXP, Op.SQRT, Op.CMP), "scalar")
    | {Op.NEURON_UPDATE: "neuron"}
    | dict.fromkeys((Op.SPIKE, Op.SPIKE_HOP), "routing")
)

_BUFFERS = (
    dict.fromkeys((Op.WEIGHT_READ, Op.VECTOR_READ), Buffer.WEIGHTS)
    | dict.fromkeys((Op.ACTIVATION_READ, Op.ACTIVATION_WRITE), Buffer.ACTIVATIONS)
    | dict.fromkeys((Op.SPIKE_READ, Op.SPIKE_WRITE), Buffer.SPIKES)
    | dict.fromkeys((Op.STATE_READ, Op.STATE_WRITE), Buffer.STATE)
    | dict.fromkeys((Op.KV_READ, Op.KV_WRITE, Op.KV_SPIKE_READ, Op.KV_SPIKE_WRITE), Buffer.KV_CACHE)
)

_DEFINITIONS = {
    Op.MAC: "one multiply-accumulate of a matrix product between two analog operands",
    Op.AC: "one event (spike) added to one accumulator: a synaptic operation",
    Op.SHIFT_AC: "one event of value +-2^k added to one accumulator: a shift and an addition",
    Op.ADD: "one addition or subtraction inside a non-linear function",
    Op.MUL: "one multiplication inside a non-linear function",
    Op.DIV: "one division inside a non-linear function",
    Op.EXP: "one exponential inside a non-linear function",
    Op.SQRT: "one square root inside a non-linear function",
    Op.CMP: "one comparison inside a non-linear function",
    Op.NEURON_UPDATE: "one integrate, compare and reset of one neuron in one time step",
    Op.SPIKE: "one spike emitted by a neuron (routing)",
    Op.SPIKE_HOP: "one spike carried over one link between cores: follows from a mapping of layers",
    Op.WEIGHT_READ: "bytes of weight matrices read, once per call of a layer",
    Op.VECTOR_READ: "bytes of biases, norm scales, thresholds and looked-up embedding rows read",
    Op.ACTIVATION_READ: "bytes of analog inputs read by a layer",
    Op.ACTIVATION_WRITE: "bytes of analog outputs written by a layer",
    Op.SPIKE_READ: "bytes of packed spikes read (1 to 6 bits per slot, see `Levels`)",
    Op.SPIKE_WRITE: "bytes of packed spikes written (1 to 6 bits per slot, see `Levels`)",
    Op.STATE_READ: "bytes of membrane potential read, once per neuron update",
    Op.STATE_WRITE: "bytes of membrane potential written, once per neuron update",
    Op.KV_READ: "bytes of analog keys or values read from the cache",
    Op.KV_WRITE: "bytes of analog keys or values appended to the cache",
    Op.KV_SPIKE_READ: "bytes of packed key or value spikes read from the cache",
    Op.KV_SPIKE_WRITE: "bytes of packed key or value spikes appended to the cache",
}
