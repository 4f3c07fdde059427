"""Who teaches whom in a fine-tuning, and what decides its result."""

from __future__ import annotations

import hashlib

from torch import nn
from transformers import PreTrainedModel

from neurt.learning.trained import copy_for_training
from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.measure.objective import aim_of
from neurt.measure.pair import spiking_version
from neurt.measure.widths import stored_widths
from neurt.progress import Progress, Say, silent
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import check_finite
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.data import Calibration

#: Sub-directory of a fine-tuned model that holds the analog model with the same training.
BASELINE = "analog"
#: What else of a request decides what is learned.
_DECIDE = (
    *("target_events_per_mac", "target_active_rate", "threshold_learning_rate"),
    *("kl_temperature", "cross_entropy_weight", "own_tokens", "own_share"),
)


def teacher_of(loaded: LoadedModel, say: Say) -> PreTrainedModel:
    """The analog model that sets the standard.

    For a converted model that is the one in its directory `analog`, which was trained beside it:
    the weights of a fine-tuned model are made for spikes, and no good ones for softmax.

    Raises:
        ModelError: If the one in `analog` cannot be loaded, or is no analog model of that size.
    """
    directory = loaded.source.directory
    if loaded.spiking is None or directory is None:
        return loaded.model
    say(f"{loaded.name} is a converted model: it keeps its own conversion and thresholds.")
    beside = directory / BASELINE
    if not (beside / "config.json").is_file():
        say(f"Teacher: the analog model with the parameters of {loaded.name} (no {beside}).")
        return loaded.model
    teacher = load_model(
        str(beside),
        Weights.PRETRAINED,
        device=str(loaded.placement.device),
        dtype="float32",
    )
    if teacher.spiking is not None or teacher.shape != loaded.shape:
        raise ModelError(
            f"'{beside}' is not the analog model of '{loaded.name}'; restore it, or move it away"
        )
    say(f"Teacher: {beside}, weights={teacher.weights}.")
    return teacher.model


def student_of(
    request: FinetuneRequest,
    loaded: LoadedModel,
    calibration: Calibration,
    progress: Progress = silent,
    say: Say = silent,
) -> SpikingLanguageModel:
    """The spiking model, with weights of its own, so that no other model learns with it.

    What nobody trains is shared with the analog model, unless it will be rounded.
    """
    if loaded.spiking is not None:
        check_finite(loaded.spiking)
    stored = stored_widths(loaded.source, loaded.weights, {})
    aim = aim_of(request, loaded.weights, loaded.shape, stored)
    spiking = spiking_version(
        loaded, aim.spiking, calibration, progress, say, fused=request.compile_codes
    )
    return copy_for_training(spiking, request.train, whole=request.save_dtype != "float32")


def facts_of(
    request: FinetuneRequest,
    loaded: LoadedModel,
    calibration: Calibration,
    teacher: PreTrainedModel,
    chosen: SpikingConfig,
) -> dict[str, object]:
    """What decides the result beside the settings of a stage, in the order worth telling.

    `chosen` is how the model was converted.

    Thresholds that were calibrated in this run are not among it: another number of threads changes
    their last digits.
    """
    own = loaded.spiking
    return {
        "model": loaded.name,
        "conversion": chosen.model_dump_json(),
        "train": " ".join(request.train),
        "layer_steps": request.layer_steps,
        "calibration_tokens": request.calibration_tokens if own is None else None,
        **{name: getattr(request, name) for name in _DECIDE},
        "sha256 of its weights": _digest(loaded.model if own is None else own),
        "sha256 of its teacher": _digest(teacher),
        "sha256 of the calibration text": hashlib.sha256(calibration.text.encode()).hexdigest(),
    }


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for _, parameter in sorted(model.named_parameters()):
        digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
