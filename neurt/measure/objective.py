"""The second zone that follows from what a conversion is to spare. No torch.

A value that is not silent needs its row of weights, at a price of lambda_bytes for each weight,
and for each of its digits an accumulate with each weight, at lambda_events. So the dead zone of the
code `pow2` ends where the first event is worth both,

    zone^2 = 2 fan_out (lambda_events + lambda_bytes) / F,

and digits end where one more is not worth its accumulates, at the share
sqrt(lambda_events / (lambda_events + lambda_bytes)) of the zone. The factor on thresholds is the
root of the sum of both prices, so hardware decides the share alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum, sqrt
from types import MappingProxyType
from typing import NamedTuple

from energy import estimate
from hwmodels import Dataflow, HardwareProfile, Op
from hwmodels.errors import UserError
from neurt.closed_form.passes import decode
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.measure.widths import StoredWidths
from neurt.requests.objective import Aimed, Objective
from neurt.requests.passes import PassRequest
from neurt.spiking.config import DeadZone, SpikingConfig
from reports.kit.caveats import are_random

#: The share where digits cost nothing: what is left below it costs (1/16)^2 = 0.4 % of what a value
#: at the edge of its zone costs when it is silent.
FINEST = 1 / 16
#: Share of the rows of weights that one token needs: SmolLM2-135M at the thresholds 2 and 3. It
#: matters between two and four tokens that share a fetch: beyond, hardly a row serves one alone.
TOUCHED = 0.75


class ObjectiveError(UserError, ValueError):
    """An objective that nothing is known of for this model or this hardware."""


class Aim(NamedTuple):
    """A conversion whose zones are aimed, and what decided them, for a record."""

    spiking: SpikingConfig
    found: Mapping[str, object] = MappingProxyType({})

    @property
    def facts(self) -> dict[str, object]:
        """What decided them under its name in a record; nothing where nothing was to decide."""
        return {"objective_found": dict(self.found)} if self.found else {}


class Prices(NamedTuple):
    """What hardware charges a linear layer of a model for, in picojoules."""

    weight_pj: float  #: to fetch a weight once
    event_pj: float  #: to add it for one event, delivery to the adder included


def aim_of(request: PassRequest | Aimed, weights: str, shape: Shape, stored: StoredWidths) -> Aim:
    """The conversion that a request asks for, with the resolution that its objective means.

    Args:
        weights: Where those of the model come from.
        stored: How wide they are.

    Raises:
        ObjectiveError: If the weights are random, or the hardware lacks a price.
    """
    spiking: SpikingConfig = request.spiking  # type: ignore[union-attr]
    if not isinstance(request, Aimed) or request.objective is None:
        return Aim(spiking)
    if are_random(weights):
        raise ObjectiveError(
            f"--objective {request.objective} weighs prices against what the loss feels, which "
            f"weights that are {weights} do not tell; give a trained model, or --resolution"
        )
    found: dict[str, object] = {"objective": str(request.objective)}
    resolution = {Objective.EVENTS: 1.0, Objective.BYTES: FINEST}.get(request.objective)
    if resolution is None:
        profile = stored.machine(request.objective_profile())
        prices, tokens = prices_of(shape, spiking, stored, profile), request.sharing
        resolution = resolution_at(prices, tokens)
        found |= {"hw": profile.name, "tokens": tokens, **prices._asdict()}
    zones = {"resolution": resolution, "dead_zone": DeadZone.LOSS}
    return Aim(spiking.model_copy(update=zones), found | {"resolution": resolution})


def resolution_at(prices: Prices, tokens: int) -> float:
    """The share at which digits end, where so many tokens share a fetch of the weights.

    A row is spared by one of them only if all others are silent too.
    """
    row_pj = prices.weight_pj * (1 - TOUCHED) ** (tokens - 1)
    return sqrt(prices.event_pj / (prices.event_pj + row_pj))


def prices_of(
    shape: Shape, spiking: SpikingConfig, stored: StoredWidths, profile: HardwareProfile
) -> Prices:
    """Prices in the linear layers of a model that is decoded token by token, where they are placed.

    Raises:
        ObjectiveError: If the hardware has no price of a fetch of weights, or of an event.
    """
    counts = stored.rows(plan_ssa(shape, decode(1), spiking, 1.0))
    bill = estimate(counts, profile, dataflow=Dataflow.LAYERWISE)
    layers = [
        row for row in bill.layers if row.count.tally.slots and row.count.ops.get(Op.WEIGHT_READ)
    ]
    events = fsum(row.count.ops[Op.SHIFT_AC] for row in layers)
    weights = fsum(row.count.ops[Op.WEIGHT_READ] for row in layers)
    unpriced = [op for op in (Op.WEIGHT_READ, Op.SHIFT_AC) if any(op not in x.pj for x in layers)]
    if unpriced:
        raise ObjectiveError(
            f"--objective energy: '{profile.name}' has no price of {' and '.join(unpriced)}; give "
            "hardware that prices both, or --objective events or bytes"
        )
    return Prices(
        fsum(row.pj[Op.WEIGHT_READ] for row in layers) / weights,
        fsum(row.group_pj("compute") + row.group_pj("delivery") for row in layers) / events,
    )
