"""Spiking language models as Hugging Face models, one for each class of transformers."""

from __future__ import annotations

from typing import Any

import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers import initialization as init

from neurt.families import CONVERTED, SPIKING, analog_type, family_of, read_shape
from neurt.spiking.config import Form, SpikingConfig, stored_choices
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.head import EventHead
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.softmax import SoftmaxAttention
from neurt.spiking.spikformer import SpikformerAttention

_FORMS = {Form.SPIKFORMER: SpikformerAttention, Form.SOFTMAX: SoftmaxAttention}


class SpikingLanguageModel(PreTrainedModel):
    """What all converted models have in common.

    Parameters keep the names and shapes of the dense model, so a dense checkpoint loads into it;
    the thresholds of the neurons are parameters beside them. Embeddings, norms and the residual
    stream stay analog, and so does the language-model head unless it is asked for.
    """

    # The mask then comes as booleans, or not at all where plain causal attention is enough.
    _supports_flash_attn = False

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        family, spiking = family_of(config.model_type), self.choices
        for index, layer in enumerate(self.get_submodule(family.layers).children()):
            attention = _FORMS[spiking.form](config, spiking, index)
            layer.set_submodule(family.attention.path, attention)
            layer.set_submodule(family.feedforward.path, SpikingFeedForward(config, spiking))
        if spiking.head:
            shape = read_shape(config.to_dict(), "the model")
            self.set_submodule("lm_head", EventHead(shape, spiking))
        self.post_init()  # type: ignore[no-untyped-call]

    @property
    def choices(self) -> SpikingConfig:
        """How it was converted."""
        return SpikingConfig.model_validate(self.config.spiking)

    def initialize_weights(self) -> None:
        """Initialise what a checkpoint lacks; a dense one has no thresholds."""
        super().initialize_weights()  # type: ignore[no-untyped-call]
        for module in self.modules():
            if isinstance(module, SpikingNeuron):
                init.ones_(module.threshold)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load as any Hugging Face model; thresholds stay frozen, as after a conversion."""
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for module in model.modules():
            if isinstance(module, SpikingNeuron):
                module.threshold.requires_grad_(False)
        return loaded


_CLASSES: dict[str, type[SpikingLanguageModel]] = {}


def analog_class(model_type: str) -> type[PreTrainedModel]:
    """The analog language model of a known type, given that of it or of what it becomes."""
    family, kind = family_of(model_type), analog_type(model_type)
    model: type[PreTrainedModel] = getattr(transformers, family.classes[kind] + family.model)
    return model


def spiking_class(model_type: str) -> type[SpikingLanguageModel]:
    """The converted language model of a known type, for example `SpikingLlamaForCausalLM`."""
    return _CLASSES[analog_type(model_type)]


def _define(kind: str) -> None:
    """Make the classes of one `model_type`, and let the Auto classes of transformers know them."""
    analog = analog_class(kind)
    analog_config: Any = analog.config_class

    class SpikingModelConfig(analog_config):  # type: ignore[misc]
        """The configuration of the analog model with the choices of the conversion.

        Args:
            spiking: The fields of a `SpikingConfig`.
            **kwargs: Fields of the analog configuration.
        """

        model_type = SPIKING + kind

        def __init__(self, spiking: dict[str, Any] | None = None, **kwargs: Any) -> None:
            self.spiking = stored_choices({} if spiking is None else spiking).model_dump(
                mode="json"
            )
            super().__init__(**kwargs)

    class SpikingModel(SpikingLanguageModel, analog):  # type: ignore[misc, valid-type]
        __doc__ = f"A converted `{analog.__name__}`.\n{SpikingLanguageModel.__doc__}"
        config_class = SpikingModelConfig

    # A dead zone may be smaller than the smallest number of half precision.
    SpikingModel._keep_in_fp32_modules_strict = {
        *(analog._keep_in_fp32_modules_strict or ()),
        "threshold",
    }
    names = {SpikingModelConfig: analog_config.__name__, SpikingModel: analog.__name__}
    for made, of in names.items():
        made.__name__ = made.__qualname__ = f"Spiking{of}"
        globals()[made.__name__] = made  # where whoever unpickles or documents it looks
    AutoConfig.register(SpikingModelConfig.model_type, SpikingModelConfig)
    AutoModelForCausalLM.register(SpikingModelConfig, SpikingModel)
    _CLASSES[kind] = SpikingModel


for _kind in (kind for family in CONVERTED for kind in family.classes):
    _define(_kind)

#: The best known of them by name.
SpikingGPT2LMHeadModel = spiking_class("gpt2")
SpikingGPT2Config = SpikingGPT2LMHeadModel.config_class
SpikingLlamaForCausalLM = spiking_class("llama")
SpikingLlamaConfig = SpikingLlamaForCausalLM.config_class
