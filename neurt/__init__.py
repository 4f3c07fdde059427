"""The method: a trained language model becomes a spiking one, and both are measured.

Names are imported when first used: most of them need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurt.hidden import check_beside

check_beside(__file__)

from hwmodels.lazy import lazy_exports  # noqa: E402 - which may be what is hidden

if TYPE_CHECKING:
    from energy.network.count import count_module as count_module
    from neurt.loading.models import LoadedModel as LoadedModel
    from neurt.loading.models import ModelError as ModelError
    from neurt.loading.models import load_model as load_model
    from neurt.measure.in_memory import profile_model as profile_model
    from neurt.measure.network import profile_module as profile_module
    from neurt.measure.planning import run_plan as run_plan
    from neurt.nir.graph import NIRError as NIRError
    from neurt.nir.network import NIRNetwork as NIRNetwork
    from neurt.nir.network import nir_network as nir_network
    from neurt.requests.passes import PlanRequest as PlanRequest
    from neurt.spiking.config import SpikingConfig as SpikingConfig
    from neurt.spiking.conversion import ConversionError as ConversionError
    from neurt.spiking.conversion import convert as convert
    from neurt.spiking.modeling import SpikingGPT2Config as SpikingGPT2Config
    from neurt.spiking.modeling import SpikingGPT2LMHeadModel as SpikingGPT2LMHeadModel
    from neurt.spiking.modeling import SpikingLanguageModel as SpikingLanguageModel
    from neurt.spiking.modeling import SpikingLlamaConfig as SpikingLlamaConfig
    from neurt.spiking.modeling import SpikingLlamaForCausalLM as SpikingLlamaForCausalLM
    from neurt.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_exports(__name__)
