"""From a trained GPT-2 to a spiking one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from neurt.attention import SpikingAttention
from neurt.config import SpikingConfig
from neurt.feedforward import SpikingFeedForward
from neurt.modeling import SpikingGPT2Config, SpikingGPT2LMHeadModel
from neurt.neuron import NeuronError, SpikingNeuron, calibrating
from neurt.pow2 import PowerOfTwo, output_dead_zone


class ConversionError(ValueError):
    """A model that cannot be converted."""


def analog_of(spiking_model: SpikingGPT2LMHeadModel) -> GPT2LMHeadModel:
    """The analog model whose parameters a converted one holds; the two share them."""
    config = spiking_model.config.to_diff_dict()
    for key in ("spiking", "model_type", "architectures"):
        config.pop(key, None)
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(**config))
    names = dict(model.named_parameters())
    shared = {name: x for name, x in spiking_model.named_parameters() if name in names}
    model.load_state_dict(shared, strict=False, assign=True)
    model.tie_weights()
    model.eval()
    return model


def convert(
    model: GPT2LMHeadModel,
    spiking: SpikingConfig,
    calibration: Sequence[Tensor],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> SpikingGPT2LMHeadModel:
    """Convert GPT-2 and calibrate the thresholds of its neurons on text.

    The result shares the parameters of `model`: no second copy is made, and training one changes
    the other.

    Args:
        model: The trained analog model.
        spiking: Choices of the conversion.
        calibration: Token ids (batch, tokens), one tensor per window of text that is not used to
            judge the result.
        progress: Called with windows done and windows in all.

    Raises:
        ConversionError: If the model is not a GPT-2, there is no calibration text, or a weight or
            an activation is not finite (names the first layer).
    """
    if type(model) is not GPT2LMHeadModel:
        raise ConversionError(
            f"cannot convert a {type(model).__name__}; give a transformers GPT2LMHeadModel"
        )
    if not calibration:
        raise ConversionError("thresholds are calibrated on text: give at least one window")
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise ConversionError(
                f"parameter '{name}' holds NaN or infinity; check the checkpoint it came from"
            )
    config = SpikingGPT2Config(
        **model.config.to_diff_dict(), spiking=spiking.model_dump(mode="json")
    )
    with torch.device("meta"):  # no memory for weights that are about to be shared
        spiking_model = SpikingGPT2LMHeadModel(config)
    for module in spiking_model.modules():
        if isinstance(module, SpikingNeuron):
            ones = torch.ones(module.channels, dtype=model.dtype, device=model.device)
            module.threshold = nn.Parameter(ones, requires_grad=False)
    spiking_model.load_state_dict(model.state_dict(), strict=False, assign=True)
    spiking_model.tie_weights()
    spiking_model.eval()  # type: ignore[no-untyped-call]
    for block in spiking_model.modules():
        if isinstance(block, (SpikingAttention, SpikingFeedForward)):
            for coder, layer in block.coded:
                if isinstance(coder, PowerOfTwo):
                    coder.dead_zone = output_dead_zone(layer.weight)
    with torch.no_grad(), calibrating(spiking_model):
        for done, window in enumerate(calibration):
            try:
                spiking_model(window, use_cache=False)
            except NeuronError as error:
                raise ConversionError(f"cannot convert: {error}") from error
            progress(done + 1, len(calibration))
    for module in spiking_model.modules():
        if isinstance(module, PowerOfTwo):  # it holds weights and keys that are needed no more
            vars(module).pop("dead_zone", None)
    return spiking_model
