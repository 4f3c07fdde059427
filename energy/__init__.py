"""The meter and the bill: count what a model does, price what was counted.

Names are imported when first used: counting needs torch, pricing numpy, choosing neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from energy.bill.estimate import Estimate as Estimate
    from energy.bill.estimate import estimate as estimate
    from energy.bill.layer import LayerEnergy as LayerEnergy
    from energy.bill.many import price_many as price_many
    from energy.bill.request import bill_of as bill_of
    from energy.bill.saving import Saving as Saving
    from energy.bill.saving import saving as saving
    from energy.counts import Counts as Counts
    from energy.counts import CountsError as CountsError
    from energy.counts import Label as Label
    from energy.counts import LayerCount as LayerCount
    from energy.counts import Levels as Levels
    from energy.counts import Tally as Tally
    from energy.formulas import Attention as Attention
    from energy.formulas import Conventions as Conventions
    from energy.layers.elementwise import Multiply as Multiply
    from energy.layers.elementwise import Rotary as Rotary
    from energy.layers.expose import ExposeError as ExposeError
    from energy.layers.expose import exposed_attention as exposed_attention
    from energy.layers.matmul import MatMul as MatMul
    from energy.literature.claims import Claim as Claim
    from energy.literature.claims import ClaimError as ClaimError
    from energy.literature.claims import read_claims as read_claims
    from energy.literature.review import Review as Review
    from energy.literature.review import review as review
    from energy.meter.audit import UncountedOperation as UncountedOperation
    from energy.meter.crosscheck import check_against_fvcore as check_against_fvcore
    from energy.meter.events import EventError as EventError
    from energy.meter.events import count_events as count_events
    from energy.meter.meter import count_pass as count_pass
    from energy.meter.meter import counting as counting
    from energy.meter.spikes import DenseSpikesWarning as DenseSpikesWarning
    from energy.meter.tally import tally_call as tally_call
    from energy.network.arrive import NetworkError as NetworkError
    from energy.network.count import count_module as count_module
    from energy.network.kind import NeuronKind as NeuronKind
    from energy.network.neurons import NeuronError as NeuronError
    from energy.network.neurons import neuron as neuron

__getattr__, __dir__, __all__ = lazy_exports(__name__)
