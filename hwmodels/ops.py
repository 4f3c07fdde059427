"""The vocabulary that the meter counts in and the price list charges for."""

from __future__ import annotations

from enum import StrEnum


class Buffer(StrEnum):
    """What memory traffic belongs to; a profile places each in one of its levels."""

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
    NEURON_ADD = "neuron_add"
    NEURON_MUL = "neuron_mul"
    NEURON_CMP = "neuron_cmp"
    SPIKE = "spike"
    SPIKE_HOP = "spike_hop"
    DELIVERY = "delivery_values"
    WEIGHT_READ = "weight_read_values"
    VECTOR_READ = "vector_read_values"
    ACTIVATION_READ = "activation_read_values"
    ACTIVATION_WRITE = "activation_write_values"
    SPIKE_READ = "spike_read_slots"
    SPIKE_WRITE = "spike_write_slots"
    STATE_READ = "state_read_values"
    STATE_WRITE = "state_write_values"
    KV_READ = "kv_read_values"
    KV_WRITE = "kv_write_values"
    KV_SPIKE_READ = "kv_spike_read_slots"
    KV_SPIKE_WRITE = "kv_spike_write_slots"

    # Enum hashes in Python; the meter hashes an Op a few thousand times per pass.
    __hash__ = str.__hash__

    @classmethod
    def _missing_(cls, value: object) -> Op | None:
        """Traffic by its name in files of version 0.1, which counted it in bytes."""
        return IN_BYTES.get(value) if isinstance(value, str) else None

    @property
    def definition(self) -> str:
        """What one unit of this operation is, in one sentence."""
        return _DEFINITIONS[self]

    @property
    def group(self) -> str:
        """The heading it is billed under; `compute` and `memory` among them."""
        return _GROUPS.get(self, "memory")

    @property
    def buffer(self) -> Buffer | None:
        """The buffer that a traffic operation touches; None for operations that are not traffic."""
        return _BUFFERS.get(self)

    @property
    def is_counted(self) -> bool:
        """Whether a meter can count it; hops and deliveries follow from a machine."""
        return self not in (Op.SPIKE_HOP, Op.DELIVERY)

    @property
    def alike(self) -> Op | None:
        """The operation whose price it has, for those inside a neuron; None for all others."""
        return _ALIKE.get(self)

    @property
    def is_read(self) -> bool:
        """Whether a traffic operation reads (otherwise it writes)."""
        return "_read_" in self.value

    @property
    def moves_spikes(self) -> bool:
        """Whether a traffic operation counts slots of spikes; otherwise it counts values."""
        return self.value.endswith("_slots")


_GROUPS = (
    dict.fromkeys((Op.MAC, Op.AC, Op.SHIFT_AC), "compute")
    | dict.fromkeys((Op.ADD, Op.MUL, Op.DIV, Op.EXP, Op.SQRT, Op.CMP), "scalar")
    | dict.fromkeys((Op.NEURON_UPDATE, Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP), "neuron")
    | {Op.DELIVERY: "delivery"}
    | dict.fromkeys((Op.SPIKE, Op.SPIKE_HOP), "routing")
)

_ALIKE = {Op.NEURON_ADD: Op.ADD, Op.NEURON_MUL: Op.MUL, Op.NEURON_CMP: Op.CMP}

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
    Op.NEURON_ADD: "one addition or subtraction in an executed step of a neuron or coder",
    Op.NEURON_MUL: "one multiplication in an executed step of a neuron or coder",
    Op.NEURON_CMP: "one comparison in an executed step of a neuron or coder",
    Op.SPIKE: "one spike emitted by a neuron (routing)",
    Op.SPIKE_HOP: "one spike carried over one link between cores: follows from a mapping of layers",
    Op.DELIVERY: "stored operands fetched beside the adders: follows from the reuse of a fetch",
    Op.WEIGHT_READ: "values of weight matrices read, once per call of a layer",
    Op.VECTOR_READ: "values of biases, norm scales, thresholds and looked-up embedding rows read",
    Op.ACTIVATION_READ: "analog input values read by a layer",
    Op.ACTIVATION_WRITE: "analog output values written by a layer",
    Op.SPIKE_READ: "slots of spikes read (1 to 8 bits each, see `Levels`)",
    Op.SPIKE_WRITE: "slots of spikes written (1 to 8 bits each, see `Levels`)",
    Op.STATE_READ: "membrane potentials read, once per neuron update",
    Op.STATE_WRITE: "membrane potentials written, once per neuron update",
    Op.KV_READ: "entries of analog keys and values read from the cache",
    Op.KV_WRITE: "entries of analog keys and values appended to the cache",
    Op.KV_SPIKE_READ: "slots of key or value spikes read from the cache",
    Op.KV_SPIKE_WRITE: "slots of key or value spikes appended to the cache",
}

#: Traffic by its name in tables that count bytes: those of version 0.1, and those of others.
IN_BYTES = {f"{op.value.rpartition('_')[0]}_bytes": op for op in Op if op.buffer is not None}
