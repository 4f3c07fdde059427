"""What a spiking model is compared with: the network it came from, under several arithmetics.

A saving means nothing without its baseline, and the dearest baseline flatters most. Each row is
the bill of an analog network (ANN) beside the bill of the spiking one (SNN):

* `same`: the ANN at the hardware's own precision.
* `twin`: the ANN whose activations say no more than the spikes do; see `energy.compare.twin`.
* `sparse`: the ANN that skips every multiply-accumulate with a zero activation, for free.
* `int8`: both at INT8; `int8-vs-own`: the INT8 ANN beside the SNN at the hardware's own precision.
* `mixed`, on request only: the ANN at the hardware's own precision beside the INT8 SNN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from energy.bill.estimate import Estimate
from energy.bill.request import bill_of
from energy.bill.saving import Saving, saving
from energy.compare.twin import activation_bits, twin_counts, widest_levels
from energy.counts import Counts, LayerCount
from hwmodels import Dataflow, HardwareProfile, Op
from hwmodels.pair import Machine, TwoMachines, side_of


@dataclass(frozen=True)
class Baseline:
    """One comparison."""

    name: str  #: `same`, `twin`, `sparse`, `int8`, `int8-vs-own` or `mixed`
    title: str  #: what is compared, for tables
    note: str  #: how to read the row, or why it has no numbers
    asa: Estimate | None = None  #: bill of the analog network; None where it cannot be known
    ssa: Estimate | None = None  #: bill of the spiking network; None likewise
    #: width of the analog network's activations; None likewise
    activation_bits: float | None = None

    def saving(self, accounting: str = "compute", *, block: str | None = None) -> Saving | None:
        """What the spiking network saves against this baseline; None without a bill."""
        if self.asa is None or self.ssa is None:
            return None
        return saving(self.asa, self.ssa, accounting, block=block)


def baselines(
    asa: Sequence[Counts],
    ssa: Sequence[Counts],
    machine: Machine,
    *,
    int8: HardwareProfile | None,
    bits: int | None = None,
    mixed: bool = False,
    dataflow: Dataflow | None = None,
    latency_s: Mapping[str, float] | None = None,
    bills: tuple[Estimate, Estimate] | None = None,
) -> tuple[Baseline, ...]:
    """The spiking network beside each baseline.

    Args:
        asa: Counts of the analog network, one per phase; their bills add.
        ssa: Counts of the spiking one, of the same phases.
        machine: The hardware, or the two machines.
        int8: The hardware of the analog network with INT8 arithmetic; None where its prices are
            not known.
        bits: Activation bits of the twin; None for the published formula for binary spikes.
        mixed: Add the analog network at the hardware's own precision beside the INT8 SNN, which
            compares precisions and not networks.
        dataflow: How often operands move; None for what each profile says.
        latency_s: Seconds of all phases by variant (`asa`, `ssa`), known of the hardware's own
            precision and therefore not used for INT8.
        bills: Those of the two on the hardware, where somebody made them already.

    Raises:
        ValueError: If `bits` is less than 1, or the phases of the two do not match.
    """
    if bits is not None and bits < 1:
        raise ValueError(f"bits (= {bits}) must be at least 1; leave it out for ceil(log2(T + 1))")
    profile = side_of(machine, "asa")
    width, own = 8 * profile.value_bytes, profile.precision.upper()
    if not own.isalnum():  # a sentence, as "1-9 bit weights"
        own = "own-precision"

    def bill(phases: Sequence[Counts], hw: Machine = machine) -> Estimate:
        variant = phases[0].variant
        known = (latency_s or {}).get(variant) if hw is machine else None
        return bill_of(phases, side_of(hw, variant), dataflow=dataflow, latency_s=known)

    bills = bills or (bill(asa), bill(ssa))
    same = Baseline("same", f"{own} ANN", _precisions(machine), *bills, width)
    used, note = (bits, f"b = {bits} as asked for") if bits else _published(ssa[0])
    twins = [twin_counts(a, s, profile, used) for a, s in zip(asa, ssa, strict=True)]
    if twins == list(asa):
        note += "; no activation is narrower for it: the twin is the ANN itself"
    narrow = min(used, width)
    twin = Baseline("twin", f"{used}-bit twin", note, bill(twins), same.ssa, narrow)
    sparse = Baseline("sparse", "activation-sparse ANN", _zeros(asa))
    if all(counts.zeros_measured for counts in asa):
        skipping = bill([sparse_counts(counts) for counts in asa])
        sparse = replace(sparse, asa=skipping, ssa=same.ssa, activation_bits=width)
    if isinstance(machine, TwoMachines):
        at_int8 = _across(same, None if int8 is None else bill(asa, int8), profile)
    elif profile.precision == "int8":
        note = f"{profile.name} is INT8 itself: this is the {same.title}"
        at_int8 = [replace(same, name="int8", title="INT8 ANN, INT8 SNN", note=note)]
    else:
        narrow_bills = None if int8 is None else (bill(asa, int8), bill(ssa, int8))
        at_int8 = _at_int8(own, same, narrow_bills, profile.name)
    return (same, twin, sparse, *(x for x in at_int8 if mixed or x.name != "mixed"))


def _zeros(asa: Sequence[Counts]) -> str:
    """How many multiply-accumulates the activation-sparse network skips."""
    if not all(counts.zeros_measured for counts in asa):
        return "zeros of the activations were not measured"
    skipped = sum(row.tally.zero_macs or 0 for counts in asa for row in counts.layers)
    share = skipped / max(1, sum(counts.total(Op.MAC) for counts in asa))
    return f"{100 * share:.2f} % of the MACs have a zero input (linear layers); skipped for free"


def _precisions(machine: Machine) -> str:
    if isinstance(machine, HardwareProfile):
        return f"both at {machine.precision}"
    asa, ssa = machine.asa, machine.ssa
    return f"ANN at {asa.precision} on {asa.name}, SNN at {ssa.precision} on {ssa.name}"


def _across(same: Baseline, asa: Estimate | None, profile: HardwareProfile) -> list[Baseline]:
    """Of the comparisons with INT8, the one in which the spiking side stays as it is."""
    if profile.precision == "int8":
        return []
    int8 = Baseline("int8-vs-own", "INT8 ANN, SNN as it is", f"no INT8 prices for {profile.name}")
    if asa is None:
        return [int8]
    note, width = f"INT8 ANN on {profile.name}: favours the ANN", 8 * asa.profile.value_bytes
    return [replace(int8, note=note, asa=asa, ssa=same.ssa, activation_bits=width)]


def _at_int8(
    own: str, same: Baseline, bills: tuple[Estimate, Estimate] | None, hw: str
) -> list[Baseline]:
    """The comparisons with INT8 arithmetic on one or both sides, given its bills of both."""
    titles = {
        "int8": ("INT8 ANN, INT8 SNN", "both at int8"),
        "int8-vs-own": (f"INT8 ANN, {own} SNN", "favours the ANN"),
        "mixed": (f"{own} ANN, INT8 SNN", "mixed precision, not comparable"),
    }
    if bills is None:
        missing = f"no INT8 prices for {hw}"
        return [Baseline(name, title, missing) for name, (title, _) in titles.items()]
    (asa, ssa), width = bills, 8 * bills[0].profile.value_bytes
    sides: dict[str, tuple[Estimate | None, Estimate | None, float | None]] = {
        "int8": (asa, ssa, width),
        "int8-vs-own": (asa, same.ssa, width),
        "mixed": (same.asa, ssa, same.activation_bits),
    }
    return [
        Baseline(name, *titles[name], asa=analog, ssa=spiking, activation_bits=bits)
        for name, (analog, spiking, bits) in sides.items()
    ]


def _published(ssa: Counts) -> tuple[int, str]:
    """Bits of the twin by the published formula, and what to say about them."""
    bits = activation_bits(ssa.timesteps)
    note = f"b = ceil(log2(T + 1)) for binary spikes, T = {ssa.timesteps}"
    levels = widest_levels(ssa)
    if levels is not None and (most := activation_bits(ssa.timesteps, levels)) > bits:
        note += f"; the {levels} events of this SNN say up to {most} bits"
    return bits, note


def sparse_counts(asa: Counts) -> Counts:
    """Counts of the network that skips multiply-accumulates with a zero activation.

    Skipping costs nothing and saves arithmetic: zeros are stored and moved like other values.
    """

    def skip(row: LayerCount) -> LayerCount:
        if not row.tally.zero_macs:
            return row
        macs = row.tally.ops.get(Op.MAC, 0) - row.tally.zero_macs
        return row.with_ops({**row.tally.ops, Op.MAC: macs})

    return replace(asa, layers=tuple(map(skip, asa.layers)))
