"""The accounting of Lemaire et al. 2022 applied to what was counted in a run.

The paper knows layers of neurons. A transformer has more, so this much is ours, and not theirs:

* A layer of the model is fed one token after another: its memories of input, potentials and output
  hold one token, and its weights stay where they are.
* Event-driven layers and neurons are rows of their own. A row of synapses is charged the first
  half of the paper's spiking layer: its events add to potentials that lie in memory, where the
  row behind it finds them. A row of neurons is charged the second half and, since its drive may be
  a current, one read and one addition per update to take it in. Both rows together are the
  paper's layer and that drive, so the extension never favours spikes.
* A bias is added once per result: in each time step, or once where the steps share a result.
* In a product of attention the stored operand (K, V, or Spikformer's integer weights) plays the
  weights and the other one streams. An analog product is a fully-connected layer without bias; in
  an event-driven one each accumulate reads the stored operand and reads and writes an accumulator.
  Keys and values of new tokens are appended to the memory of the stored operand.
* An event with a payload (+-2^k) is an addition: the model has no price for a shift.
* `lemaire-printed` concerns fully-connected layers, as Eq. 2.4 does, and no product.

Counts are taken as counted: the model has a dataflow of its own. Norms, softmax, activations,
residual additions and look-ups are outside of it, and named.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from energy.counts import Counts, LayerCount, Levels
from energy.literature.lemaire import (
    LEMAIRE,
    WORD_BYTES,
    Costs,
    LemaireError,
    Terms,
    Variant,
    dense_linear,
    neurons,
    synapses,
)
from hwmodels import Op
from hwmodels.plain import several

#: What a reader must accept, for reports.
ASSUMPTIONS = (
    "Every access moves one 32-bit word, whatever the precision, and every layer has memories of "
    "its own that hold its weights and one token.",
    "No DRAM: a memory larger than 1 MiB is banks of 1 MiB at 100 pJ per word.",
    "A dense layer fetches each weight for each token: nothing is reused.",
    "An event with a payload is an addition; norms, softmax, activations, residual additions and "
    "look-ups are outside.",
    "Products of attention are our extension: the stored operand plays the weights.",
)

_READS = (Op.ACTIVATION_READ, Op.SPIKE_READ, Op.KV_READ, Op.KV_SPIKE_READ)


@dataclass(frozen=True)
class LayerBill:
    """One row of a run under this accounting."""

    count: LayerCount  #: what was counted
    terms: Terms | None  #: what the equations make of it; None outside of the model
    #: energy by part (`lemaire.PARTS`) in picojoules; empty outside of the model
    parts_pj: dict[str, float]
    outside: str = ""  #: why it is outside of the model; empty inside

    @property
    def total_pj(self) -> float:
        """Energy in picojoules; 0 outside of the model, which `Bill.outside` names."""
        return math.fsum(self.parts_pj.values())


@dataclass(frozen=True)
class Bill:
    """A run under the accounting of Lemaire et al."""

    counts: Counts  #: what was counted
    variant: Variant  #: which reading of the paper
    layers: tuple[LayerBill, ...]  #: one bill per row, in the order of the counts

    @property
    def outside(self) -> dict[str, str]:
        """Rows that the model does not describe, each with the reason."""
        return {layer.count.name: layer.outside for layer in self.layers if layer.outside}

    def energy_pj(self, *, block: str | None = None, component: str | None = None) -> float:
        """Sum over the rows of one block or component, in picojoules."""
        layers = (x for x in self.layers if x.count.label.within(block, component))
        return math.fsum(layer.total_pj for layer in layers)

    def part_pj(self, part: str) -> float:
        """Sum of one of `PARTS` over all rows, in picojoules."""
        return math.fsum(layer.parts_pj.get(part, 0.0) for layer in self.layers)


def lemaire(
    counts: Counts,
    costs: Costs | None = None,
    variant: Variant = LEMAIRE,
    *,
    leaky: Collection[str] = ("LIF",),
) -> Bill:
    """Price a run under this accounting.

    Args:
        counts: What was counted, before any dataflow was applied to it.
        costs: Prices; 45 nm int32 and the SRAM of the paper unless given.
        variant: `LEMAIRE` or `PRINTED`.
        leaky: Kinds of rows whose neurons leak: one multiply-accumulate per update.

    Raises:
        LemaireError: If the counts are those of no token, or do not say how wide a value is.
    """
    if counts.tokens < 1:
        raise LemaireError(
            f"the counts of '{counts.variant}' are of {several(counts.tokens, 'token')}: the "
            "accounting of Lemaire et al. sizes memories by token; give the column `tokens`"
        )
    if counts.value_bits is not None:
        raise LemaireError(
            f"the counts of '{counts.variant}' do not say how wide a value is, and the accounting "
            "of Lemaire et al. counts values; give the column `value_bytes`"
        )
    costs = costs or Costs()
    bills = []
    for layer in counts.layers:
        terms = _terms(layer, counts, variant, layer.kind in leaky)
        if isinstance(terms, str):
            bills.append(LayerBill(layer, None, {}, terms))
        else:
            bills.append(LayerBill(layer, terms, terms.parts_pj(costs)))
    return Bill(counts, variant, tuple(bills))


def _terms(layer: LayerCount, counts: Counts, variant: Variant, leak: bool) -> Terms | str:
    ops, tally = layer.ops, layer.tally
    if not any(ops.values()):
        return Terms()
    if ops[Op.NEURON_UPDATE]:
        return _neuron_row(layer, counts, variant, leak)
    if not (tally.dense_macs or ops[Op.MAC]):
        return "no matrix product and no neuron"
    if not layer.calls or not any(ops[op] for op in _READS):
        return "its traffic was not counted"
    if ops[Op.WEIGHT_READ]:
        return _linear_row(layer, counts, variant)
    return _product_row(layer, counts, variant)


def _neuron_row(layer: LayerCount, counts: Counts, variant: Variant, leak: bool) -> Terms:
    updates = layer.ops[Op.NEURON_UPDATE]
    count = round(updates / (counts.timesteps * counts.tokens))
    terms = neurons(updates, count, layer.ops[Op.SPIKE], leak=leak, variant=variant)
    return replace(terms, acc=terms.acc + updates, read_in=updates, in_words=count)


def _linear_row(layer: LayerCount, counts: Counts, variant: Variant) -> Terms | str:
    ops, tally = layer.ops, layer.tally
    weights = round(ops[Op.WEIGHT_READ] / layer.calls)
    results = round(ops[Op.ACTIVATION_WRITE])
    biases = results if ops[Op.VECTOR_READ] else 0
    rows = round((tally.dense_macs or ops[Op.MAC]) / weights)
    slots = tally.slots or ops[Op.ACTIVATION_READ]
    fan_in = round(slots / rows) if rows else 0
    if not fan_in:
        return "its shape does not follow from its counts"
    fan_out = round(weights / fan_in)
    if tally.slots:
        return synapses(fan_in, fan_out, tally.spikes, biases=biases, variant=variant)
    terms = dense_linear(fan_in, fan_out, rows=rows, bias=bool(biases))
    # Analog time steps share a result, and with it the bias.
    return replace(terms, acc=biases, read_weights=terms.mac + biases, write_out=results)


def _product_row(layer: LayerCount, counts: Counts, variant: Variant) -> Terms | str:
    ops, tally = layer.ops, layer.tally
    cached = ops[Op.KV_READ] + ops[Op.KV_SPIKE_READ]
    if not cached:
        return "no weights and no cache: which operand is stored was not counted"
    read, results, analog, appended = (
        round(ops[op]) for op in (Op.ACTIVATION_READ, Op.ACTIVATION_WRITE, Op.KV_READ, Op.KV_WRITE)
    )
    per_word = 8 * WORD_BYTES / (tally.levels or Levels.BINARY).bits_per_slot
    packed = ops[Op.KV_SPIKE_READ] / per_word
    appended += math.ceil(ops[Op.KV_SPIKE_WRITE] / per_word)
    sequences = layer.calls * counts.batch
    if tally.slots:
        accumulates = tally.accumulates
        # Where the cached spikes stream, as V of Spikformer, they meet the analog operand and the
        # results of all queries; otherwise the events of one query meet the cache.
        cache_streams = not ops[Op.SPIKE_READ]
        return Terms(
            acc=accumulates,
            read_in=tally.spikes,
            read_weights=accumulates,
            potentials=accumulates,
            address_acc=accumulates,
            append=appended,
            in_words=variant.fifo_words,
            weight_words=math.ceil((read if cache_streams else analog + packed) / sequences),
            potential_words=round(results / (sequences if cache_streams else counts.tokens)),
        )
    return Terms(
        mac=ops[Op.MAC],
        read_in=read,
        read_weights=ops[Op.MAC],
        write_out=results,
        address_acc=ops[Op.MAC],
        append=appended,
        in_words=round(read / counts.tokens),
        weight_words=math.ceil((analog + packed) / sequences),
        out_words=round(results / counts.tokens),
    )
