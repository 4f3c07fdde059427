"""Named dataflows: how often what was counted once per call really moves through memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwmodels.defined import Defined


class Dataflow(Defined):
    """How a spiking layer is executed; what dense layers move is the same in all but `GATHERED`."""

    LAYERWISE = (
        "layerwise",
        "layer by layer, all time steps at once: weights and inputs are read once per call, "
        "membrane potentials pass through memory in each time step",
    )
    STEPWISE = (
        "stepwise",
        "time step by time step: weights, inputs and membrane potentials pass through memory in "
        "each of them",
    )
    EVENT_DRIVEN = (
        "event-driven",
        "event by event: each event is a 32-bit address that fetches its weights and updates its "
        "accumulators in memory",
    )
    TIME_BATCHED = (
        "time-batched",
        "neuron by neuron, all its time steps in a row: as layerwise, and the membrane potential "
        "stays in a register",
    )
    GATHERED = (
        "gathered",
        "as time-batched, and a row of weights, of K or of V is fetched once per call only if "
        "something needs it",
    )

    @property
    def rules(self) -> Rules:
        """What moves how often."""
        return _RULES[self]


@dataclass(frozen=True)
class Rules:
    """What moves how often in a spiking layer."""

    #: read once per call (all time steps share it), per time step, per event, or once per call if
    #: an event needs them; the last holds for analog layers too
    weights: Literal["call", "step", "event", "touched"] = "call"
    #: the analog input of a coder: read once per call, or in each time step
    inputs: Literal["call", "step"] = "call"
    #: membrane potentials: through memory in each time step, or resident in registers for all time
    #: steps of a neuron
    state: Literal["step", "resident"] = "step"
    #: partial sums: resident in registers, or read and written per event
    accumulators: Literal["resident", "event"] = "resident"
    #: one to six bits per slot, or one 32-bit address per event
    spikes: Literal["packed", "addresses"] = "packed"


_RULES = {
    Dataflow.LAYERWISE: Rules(),
    Dataflow.STEPWISE: Rules(weights="step", inputs="step"),
    Dataflow.EVENT_DRIVEN: Rules(
        weights="event", inputs="step", accumulators="event", spikes="addresses"
    ),
    Dataflow.TIME_BATCHED: Rules(state="resident"),
    Dataflow.GATHERED: Rules(weights="touched", state="resident"),
}
