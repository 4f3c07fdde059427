"""Any network of torch, counted: spikes followed from the neurons that send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from energy.formulas.dynamics import Dynamics as Dynamics
    from energy.network.arrive import NetworkError as NetworkError
    from energy.network.count import count_module as count_module
    from energy.network.kind import NeuronKind as NeuronKind
    from energy.network.neurons import NeuronError as NeuronError
    from energy.network.neurons import neuron as neuron

__getattr__, __dir__, __all__ = lazy_exports(__name__)
