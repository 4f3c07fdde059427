"""The spiking GPT-2 as a Hugging Face model."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
)

from neurt.config import Attention, SpikingConfig
from neurt.feedforward import SpikingFeedForward
from neurt.neuron import SpikingNeuron
from neurt.softmax import SoftmaxAttention
from neurt.spikformer import SpikformerAttention

_FORMS = {Attention.SPIKFORMER: SpikformerAttention, Attention.SOFTMAX: SoftmaxAttention}


class SpikingGPT2Config(GPT2Config):
    """A GPT-2 configuration with the choices of the conversion.

    Args:
        spiking: The fields of a `SpikingConfig`.
        **kwargs: Fields of `GPT2Config`.
    """

    model_type = "spiking_gpt2"

    def __init__(self, spiking: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.spiking = SpikingConfig.model_validate(spiking or {}).model_dump(mode="json")
        super().__init__(**kwargs)


class SpikingGPT2Model(GPT2Model):
    """The transformer without its head, with spike-based blocks."""

    config_class = SpikingGPT2Config
    # The mask then comes as booleans, or not at all where plain causal attention is enough.
    _supports_flash_attn = False

    def __init__(self, config: SpikingGPT2Config) -> None:
        super().__init__(config)
        spiking = SpikingConfig.model_validate(config.spiking)
        for index, block in enumerate(self.h):
            block.attn = _FORMS[spiking.attention](config, spiking, index)
            block.mlp = SpikingFeedForward(config, spiking)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, SpikingNeuron):  # a dense checkpoint has no thresholds
            nn.init.ones_(module.threshold)
        else:
            super()._init_weights(module)  # type: ignore[no-untyped-call]


class SpikingGPT2LMHeadModel(GPT2LMHeadModel):
    """GPT-2 with spike-based attention and feed-forward blocks.

    Parameters keep the names and shapes of the dense model, so a dense checkpoint loads into it;
    the thresholds of the neurons are parameters beside them. Embeddings, norms, the residual stream
    and the language-model head stay analog.
    """

    config_class = SpikingGPT2Config
    _supports_flash_attn = False

    def __init__(self, config: SpikingGPT2Config) -> None:
        super().__init__(config)
        self.transformer = SpikingGPT2Model(config)
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load as any Hugging Face model; thresholds stay frozen, as after a conversion."""
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for module in model.modules():
            if isinstance(module, SpikingNeuron):
                module.threshold.requires_grad_(False)
        return loaded


# So that AutoModelForCausalLM.from_pretrained and pipelines know a converted model.
AutoConfig.register(SpikingGPT2Config.model_type, SpikingGPT2Config)
AutoModelForCausalLM.register(SpikingGPT2Config, SpikingGPT2LMHeadModel)
