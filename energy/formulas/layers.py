"""What each kind of layer costs, as pure functions of shapes and spike counts.

The meter calls these with the shapes of real tensors, the plan with shapes from a configuration;
so both speak of the same thing, and a test can compare either with a closed form.

Conventions:

* A MAC is one multiply-accumulate of a matrix product. A bias starts the accumulator, so `K`
  products and a bias are exactly `K` MACs.
* An AC is one event added to one accumulator: events times fan-out. An event with a payload
  (+-2^k) is a shift-accumulate, which has its own price.
* Each operand is read once per call and each result written once, whatever the caches do.
* What moves is counted in values, or in slots of spikes; how wide they are is a choice of whoever
  prices them.
"""

from __future__ import annotations

from collections.abc import Mapping

from energy.counts import Levels, Tally
from hwmodels import Op


def linear(rows: int, fan_in: int, fan_out: int, *, bias: bool) -> Tally:
    """A dense layer applied to `rows` vectors."""
    macs = rows * fan_in * fan_out
    return Tally(
        {
            Op.MAC: macs,
            Op.WEIGHT_READ: fan_in * fan_out,
            Op.VECTOR_READ: fan_out if bias else 0,
            Op.ACTIVATION_READ: rows * fan_in,
            Op.ACTIVATION_WRITE: rows * fan_out,
        },
        dense_macs=macs,
    )


def event_linear(
    rows: int,
    fan_in: int,
    fan_out: int,
    events: int,
    *,
    bias: bool,
    levels: Levels,
    steps: int = 1,
) -> Tally:
    """A layer fed by spikes: `events` of the `rows x fan_in` slots reach `fan_out` accumulators.

    The scale of an event belongs to the weight (or to the reader of the accumulator), so an event
    costs an addition, with a shift where it has a payload. Analog "events" are multiplied. `rows`
    are vectors of all time steps, `steps` those whose events meet in the same accumulators.
    """
    slots = rows * fan_in
    macs = slots * fan_out
    analog = levels is Levels.ANALOG
    return Tally(
        {
            levels.op: macs if analog else events * fan_out,
            Op.WEIGHT_READ: fan_in * fan_out,
            Op.VECTOR_READ: fan_out if bias else 0,
            Op.ACTIVATION_READ if analog else Op.SPIKE_READ: slots,
            Op.ACTIVATION_WRITE: rows // steps * fan_out,
        },
        dense_macs=macs,
        spikes=0 if analog else events,
        slots=0 if analog else slots,
        levels=None if analog else levels,
        channels=0 if analog else fan_in,
    )


def matrix_product(batch: int, left: int, inner: int, right: int) -> Tally:
    """`batch` dense products (left x inner) @ (inner x right) of two computed operands."""
    macs = batch * left * inner * right
    return Tally(
        {
            Op.MAC: macs,
            Op.ACTIVATION_READ: batch * (left + right) * inner,
            Op.ACTIVATION_WRITE: batch * left * right,
        },
        dense_macs=macs,
    )


def embedding(rows: int, width: int) -> Tally:
    """A look-up of `rows` vectors: traffic, no arithmetic."""
    traffic = rows * width
    return Tally({Op.VECTOR_READ: traffic, Op.ACTIVATION_WRITE: traffic})


def neurons(
    updates: int,
    spikes: int,
    channels: int,
    *,
    inputs: int,
    levels: Levels,
    vector: int,
    arithmetic: Mapping[Op, float],
) -> Tally:
    """Spiking neurons, each with a threshold per channel.

    Args:
        updates: Neurons x time steps.
        spikes: Spikes sent.
        channels: Thresholds.
        inputs: Values that drive them: as many as updates, or as neurons where the same value
            drives every time step.
        vector: Neurons of one vector: the entries among which a spike has its place.
        arithmetic: Additions, multiplications and comparisons of all executed steps.
    """
    return Tally(
        {
            Op.NEURON_UPDATE: updates,
            **arithmetic,
            Op.SPIKE: spikes,
            Op.VECTOR_READ: channels,
            Op.ACTIVATION_READ: inputs,
            Op.STATE_READ: updates,
            Op.STATE_WRITE: updates,
            Op.SPIKE_WRITE: updates,
        },
        spikes=spikes,
        slots=updates,
        levels=levels,
        channels=vector,
    )


def event_product(
    dense_macs: int,
    events: int,
    accumulates: int,
    *,
    slots: int,
    stored: int,
    stored_is_spikes: bool,
    results: int,
    levels: Levels,
    channels: int,
) -> Tally:
    """A product of a streaming event operand with a stored one, without a mask."""
    return Tally(
        {
            levels.op: accumulates,
            Op.SPIKE_READ: slots + (stored if stored_is_spikes else 0),
            Op.ACTIVATION_READ: 0 if stored_is_spikes else stored,
            Op.ACTIVATION_WRITE: results,
        },
        dense_macs=dense_macs,
        spikes=events,
        slots=slots,
        levels=levels,
        channels=channels,
    )
