"""From a trained language model to a spiking one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from hwmodels.errors import UserError
from hwmodels.plain import quoted
from neurt.families import CONVERTED, UNREAD
from neurt.spiking.attention import SpikingAttention
from neurt.spiking.config import DeadZone, SpikingConfig
from neurt.spiking.curvature import set_dead_zones
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.foreseen import Foreseen, foresee
from neurt.spiking.head import EventHead
from neurt.spiking.modeling import SpikingLanguageModel, analog_class, spiking_class
from neurt.spiking.neuron import NeuronError, SpikingNeuron, all_finite, calibrating
from neurt.spiking.pow2 import PowerOfTwo, output_dead_zone
from neurt.spiking.precision import coded_in
from neurt.spiking.synapse import weights_of


class ConversionError(UserError, ValueError):
    """A model that cannot be converted."""


def analog_of(spiking_model: SpikingLanguageModel) -> PreTrainedModel:
    """The analog model whose parameters a converted one holds; the two share them."""
    kind: Any = analog_class(spiking_model.config.model_type)
    with torch.device("meta"):
        model: PreTrainedModel = kind(analog_config(spiking_model.config))
    _share(spiking_model, model)
    model.eval()
    return model


def analog_config(config: PretrainedConfig) -> PretrainedConfig:
    """The configuration of the analog model of a converted one."""
    sizes = config.to_diff_dict()
    for key in ("spiking", "model_type", "architectures"):
        sizes.pop(key, None)
    kind: Any = analog_class(config.model_type)
    found: PretrainedConfig = kind.config_class(**sizes)
    return found


def spiking_config(config: PretrainedConfig, spiking: SpikingConfig) -> PretrainedConfig:
    """The configuration of the conversion of an analog model, whose configuration is given."""
    kind: Any = spiking_class(config.model_type)
    sizes = {key: x for key, x in config.to_diff_dict().items() if key not in UNREAD}
    found: PretrainedConfig = kind.config_class(**sizes, spiking=spiking.model_dump(mode="json"))
    return found


def _share(source: PreTrainedModel, target: PreTrainedModel) -> None:
    """Give a model that holds nothing yet the parameters of another; buffers are copied."""
    names = {name for name, _ in target.named_parameters()}
    shared = {name: x.detach() for name, x in source.named_parameters() if name in names}
    target.load_state_dict(shared, strict=False, assign=True)
    for name, buffer in source.named_buffers():  # angles of rotary positions, in no checkpoint
        owner, _, own = name.rpartition(".")
        target.get_submodule(owner).register_buffer(own, buffer.clone(), persistent=False)
    target.tie_weights()


def check_convertible(model: nn.Module) -> None:
    """Raise ConversionError if a model is of a class that cannot be converted."""
    convertible = [analog_class(kind) for family in CONVERTED for kind in family.classes]
    if type(model) not in convertible:
        known = ", ".join(kind.__name__ for kind in convertible)
        raise ConversionError(
            f"cannot convert a {type(model).__name__}; give one of transformers' {known}"
        )


def convert(
    model: PreTrainedModel,
    spiking: SpikingConfig,
    calibration: Sequence[Tensor],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    judge: Callable[[Foreseen], object] | None = None,
    *,
    fused: bool = False,
    spread: Callable[[PreTrainedModel], torch.device] | None = None,
) -> SpikingLanguageModel:
    """Convert a language model and calibrate the thresholds of its neurons on text.

    The result shares the parameters of `model`: no second copy is made, and training one changes
    the other.

    Args:
        model: The trained analog model.
        spiking: Choices of the conversion; dead zones `auto` are those of trained weights.
        calibration: Token ids (batch, tokens), one tensor per window of text that is not used to
            judge the result.
        progress: Called with windows done and windows in all.
        judge: Told what dead zones by loss cost on the first window, and what they should.
        fused: Whether its codes and neurons run as compiled kernels; see `fuse`.
        spread: Puts each of both models on several devices before it runs, and says on which one
            it takes its inputs.

    Raises:
        ConversionError: If the model is of a class that cannot be converted, there is no
            calibration text, or a weight or an activation is not finite (names the first layer).
    """
    check_convertible(model)
    if not isinstance(spiking, SpikingConfig):
        raise ConversionError(f"`spiking` must be a SpikingConfig, and not {quoted(spiking)}")
    if spiking.conflict:
        raise ConversionError(spiking.conflict)
    spiking = spiking.resolved(trained=True)
    if not calibration:
        raise ConversionError("thresholds are calibrated on text: give at least one window")
    check_finite(model)
    spiking_model = _uncalibrated(model, spiking)
    if fused:
        fuse(spiking_model)
    by_loss = spiking.dead_zone is DeadZone.LOSS
    try:
        with nullcontext() if by_loss else zones_by_output(spiking_model):  # which needs weights
            device = model.device
            if spread is not None:
                spread(model)
                _share(model, spiking_model)
                device = spread(spiking_model)
            windows = [window.to(device) for window in calibration]
            if by_loss:
                felt = set_dead_zones(spiking_model, windows, progress)
                if judge is not None:
                    judge(foresee(spiking_model, felt, windows[0]))
            else:
                _calibrate(spiking_model, windows, progress)
    except NeuronError as error:
        raise ConversionError(f"cannot convert: {error}") from error
    _check_thresholds(spiking_model)
    return spiking_model


def fuse(model: SpikingLanguageModel) -> None:
    """Run all time steps of each code and neuron as one kernel, which torch compiles when needed.

    Events are the same bit for bit; what torch cannot compile runs step by step (warns once with
    `fused.NotFusedWarning`).
    """
    for module in model.modules():
        if isinstance(module, SpikingNeuron):
            module.fused = True


def check_finite(model: nn.Module) -> None:
    """Raise ConversionError, which names it, if a parameter holds NaN or infinity."""
    for name, parameter in model.named_parameters():
        if not all_finite(parameter):
            raise ConversionError(
                f"parameter '{name}' holds NaN or infinity; check the checkpoint it came from"
            )


def check_converted(model: SpikingLanguageModel) -> None:
    """Raise ConversionError, which names it, if a parameter or a threshold is impossible."""
    check_finite(model)
    _check_thresholds(model)


def _check_thresholds(model: SpikingLanguageModel) -> None:
    for name, module in model.named_modules():
        if isinstance(module, SpikingNeuron):
            check_threshold(f"{name}.threshold", module.threshold)


def check_threshold(name: str, threshold: Tensor) -> None:
    """Raise ConversionError if thresholds of this name are not all above zero."""
    if not bool((threshold > 0).all()):
        raise ConversionError(
            f"'{name}' holds a threshold that is not above zero; convert the model again, with a "
            "higher factor on thresholds"
        )


def _uncalibrated(model: PreTrainedModel, spiking: SpikingConfig) -> SpikingLanguageModel:
    kind: Any = spiking_class(model.config.model_type)
    with torch.device("meta"):  # no memory for weights that are about to be shared
        spiking_model: SpikingLanguageModel = kind(spiking_config(model.config, spiking))
    for module in spiking_model.modules():
        if isinstance(module, SpikingNeuron):
            ones = torch.ones(module.channels, dtype=coded_in(model.dtype), device=model.device)
            module.threshold = nn.Parameter(ones, requires_grad=False)
    _share(model, spiking_model)
    spiking_model.eval()  # type: ignore[no-untyped-call]
    return spiking_model


def _calibrate(
    model: SpikingLanguageModel, windows: Sequence[Tensor], progress: Callable[[int, int], None]
) -> None:
    with torch.no_grad(), calibrating(model):
        for done, window in enumerate(windows):
            model(window, use_cache=False)
            progress(done + 1, len(windows))


@contextmanager
def zones_by_output(module: nn.Module) -> Iterator[None]:
    """Inside the block, coders find dead zones that are equally wide at the output behind them."""
    for block in module.modules():
        if isinstance(block, (SpikingAttention, SpikingFeedForward, EventHead)):
            for coder, layers in block.coded:
                if isinstance(coder, PowerOfTwo):
                    coder.dead_zone = output_dead_zone(weights_of(layers))
    try:
        yield
    finally:
        for inside in module.modules():
            if isinstance(inside, PowerOfTwo):  # it holds weights and keys that are needed no more
                vars(inside).pop("dead_zone", None)
