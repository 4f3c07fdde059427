"""Who teaches whom in a fine-tuning, and what decides its result."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import PreTrainedModel

from neurt.families import read_shape
from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import ConversionError, convert
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.data import calibration_text, calibration_windows

if TYPE_CHECKING:
    from neurt.measure.stages import Progress

#: Sub-directory of a fine-tuned model that holds the analog model with the same training.
BASELINE = "analog"


def teacher_of(
    loaded: LoadedModel, directory: Path | None, say: Callable[[str], None]
) -> PreTrainedModel:
    """The analog model that sets the standard.

    For a converted model that is the one in its directory `analog`, which was trained beside it:
    the weights of a fine-tuned model are made for spikes, and no good ones for softmax.

    Args:
        loaded: What is fine-tuned.
        directory: Its directory; None for a model of the hub.
        say: Given lines that the user must read.

    Raises:
        ModelError: If the one in `analog` cannot be loaded, or is no analog model of that size.
    """
    if loaded.spiking is None or directory is None:
        return loaded.model
    say(f"{loaded.name} is a converted model: it keeps its own conversion and thresholds.")
    beside = directory / BASELINE
    if not (beside / "config.json").is_file():
        say(f"Teacher: the analog model with the parameters of {loaded.name} (no {beside}).")
        return loaded.model
    found = load_model(str(beside), Weights.PRETRAINED)
    shapes = [read_shape(model.config.to_dict(), "it") for model in (found.model, loaded.model)]
    if found.spiking is not None or shapes[0] != shapes[1]:
        raise ModelError(
            f"'{beside}' is not the analog model of '{loaded.name}'; restore it, or move it away"
        )
    say(f"Teacher: {beside}, weights={found.weights}.")
    return found.model


def student_of(
    request: FinetuneRequest, loaded: LoadedModel, directory: Path | None, progress: Progress
) -> SpikingLanguageModel:
    """The spiking model, with weights of its own, so that no other model learns with it.

    Raises:
        ConversionError: If the model cannot be converted, or a parameter is not finite.
        TextError: If the calibration text of its directory cannot be used.
    """
    if loaded.spiking is not None:
        for name, parameter in loaded.spiking.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                raise ConversionError(
                    f"parameter '{name}' holds NaN or infinity; check the checkpoint it came from"
                )
        return copy.deepcopy(loaded.spiking)
    tokens = min(read_shape(loaded.model.config.to_dict(), loaded.name).positions, 128)
    student = convert(
        loaded.model,
        request.spiking,
        calibration_windows(
            loaded.tokenizer,
            tokens=tokens,
            model=directory,
            own=request.calibration,
            total=request.calibration_tokens,
            detokenise=request.detokenise,
        ),
        lambda done, total: progress("converting", done, total),
    )
    return copy.deepcopy(student)


def facts_of(
    request: FinetuneRequest, loaded: LoadedModel, directory: Path | None, teacher: PreTrainedModel
) -> dict[str, object]:
    """What decides the result beside the settings of a stage, in the order worth telling.

    Thresholds that were calibrated in this run are not among it: another number of threads changes
    their last digits.
    """
    own = loaded.spiking
    asked = request.spiking if own is None else SpikingConfig.model_validate(own.config.spiking)
    calibration = (
        calibration_text(directory, request.calibration, detokenise=request.detokenise)[0]
        if own is None
        else ""
    )
    return {
        "model": loaded.name,
        "conversion": asked.model_dump_json(),
        "train": request.train,
        "layer_steps": request.layer_steps,
        "calibration_tokens": request.calibration_tokens if own is None else None,
        "target_events_per_mac": request.target_events_per_mac,
        "sha256 of its weights": _digest(loaded.model if own is None else own),
        "sha256 of its teacher": _digest(teacher),
        "sha256 of the calibration text": hashlib.sha256(calibration.encode()).hexdigest(),
    }


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for _, parameter in sorted(model.named_parameters()):
        digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
