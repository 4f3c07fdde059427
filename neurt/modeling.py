"""The spiking GPT-2 as a Hugging Face model."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from neurt.attention import SpikingAttention
from neurt.config import SpikingConfig
from neurt.feedforward import SpikingFeedForward


class SpikingGPT2Config(GPT2Config):
    """A GPT-2 configuration with the choices of the conversion.

    Args:
        spiking: The fields of a `SpikingConfig`.
        **kwargs: Fields of `GPT2Config`.
    """

    model_type = "spiking_gpt2"

    def __init__(self, spiking: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.spiking = SpikingConfig.model_validate(spiking or {}).model_dump()
        super().__init__(**kwargs)


class SpikingGPT2LMHeadModel(GPT2LMHeadModel):
    """GPT-2 with spike-based attention and feed-forward blocks.

    Parameters keep the names and shapes of the dense model, so a dense checkpoint loads into it;
    the thresholds of the neurons are buffers beside them. Embeddings, norms, the residual stream
    and the language-model head stay analog.
    """

    config_class = SpikingGPT2Config
    # The mask then comes as booleans, or not at all where plain causal attention is enough.
    _supports_flash_attn = False

    def __init__(self, config: SpikingGPT2Config) -> None:
        super().__init__(config)
        spiking = SpikingConfig.model_validate(config.spiking)
        for index, block in enumerate(self.transformer.h):
            block.attn = SpikingAttention(config, spiking, index)
            block.mlp = SpikingFeedForward(config, spiking)
        self.post_init()  # type: ignore[no-untyped-call]


# So that AutoModelForCausalLM.from_pretrained and pipelines know a converted model.
AutoConfig.register(SpikingGPT2Config.model_type, SpikingGPT2Config)
AutoModelForCausalLM.register(SpikingGPT2Config, SpikingGPT2LMHeadModel)
