"""The verb `evaluate`: from a request to an evaluation, by measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from hwmodels import load_profiles
from neurt.evaluation.quality import compare
from neurt.families import read_shape
from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.loading.source import resolve
from neurt.measure.planning import now, versions
from neurt.measure.stages import Progress
from neurt.requests.evaluate import EvaluateRequest
from neurt.spiking.conversion import convert
from neurt.text.data import calibration_text, calibration_windows, check_ids, read_text
from neurt.text.windows import check_windows, plan_windows
from reports.quality.evaluation import Evaluation

__all__ = ["Evaluation", "run_evaluate"]


def run_evaluate(
    request: EvaluateRequest,
    progress: Progress = lambda _what, _done, _total: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Evaluation:
    """Let a spiking model and its analog one read the same text.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Raises:
        ProfileError: If a hardware profile cannot be loaded.
        ModelError: If the model or its baseline cannot be loaded, or is not what it must be.
        TextError: If the text cannot be used.
        QualityError: If text, window or stride do not fit the model, or a prediction is not
            finite.
        ConversionError: If the model cannot be converted.
    """
    profiles = load_profiles(request.hw)
    source = resolve(request.model)
    if source.shape is not None:  # before minutes are spent on loading
        _windows(request, source.shape.positions)
    text, text_name = read_text(request.text, source.directory, detokenise=request.detokenise)

    progress("loading the model", 0, 1)
    loaded = load_model(request.model, Weights(request.weights), request.seed, progress)
    why = f" ({loaded.why_random})" if loaded.why_random else ""
    say(f"{loaded.name}: weights={loaded.weights}{why}")
    shape = read_shape(loaded.model.config.to_dict(), loaded.name)
    window, stride = _windows(request, shape.positions)
    analog, analog_weights = _baseline(request.baseline, source.directory, loaded, say)
    ids = torch.tensor(loaded.tokenizer.encode(text)[: request.max_tokens], dtype=torch.long)
    plan_windows(ids.numel(), window, stride)  # before minutes are spent on converting
    progress("loading the model", 1, 1)

    if loaded.spiking is None:
        calibration = calibration_windows(
            loaded.tokenizer,
            tokens=min(shape.positions, max(window, 128)),
            model=source.directory,
            own=request.calibration,
            total=request.calibration_tokens,
            detokenise=request.detokenise,
        )
        check_ids([ids, *calibration], shape.vocabulary)
        spiking = convert(
            loaded.model,
            request.spiking,
            calibration,
            lambda done, total: progress("converting", done, total),
        )
        _, calibrated = calibration_text(
            source.directory, request.calibration, detokenise=request.detokenise
        )
    else:
        spiking, calibrated = loaded.spiking, "stored with the model"
        timesteps = spiking.config.spiking["timesteps"]
        say(f"{loaded.name} is a converted model: T = {timesteps}, as stored with it.")
    compared = compare(
        analog,
        spiking,
        ids,
        window=window,
        stride=stride,
        batch=request.batch,
        conventions=request.conventions,
        progress=lambda done, total: progress("reading", done, total),
    )
    compared = replace(
        compared,
        asa=replace(compared.asa, model=loaded.name, weights=analog_weights),
        ssa=replace(compared.ssa, model=loaded.name, weights=loaded.weights),
    )
    asked = request.model_dump(mode="json", exclude={"out", "model", "hw", "spiking"})
    return Evaluation(
        compared,
        spiking.config.spiking,
        text_name,
        profiles,
        asked | {"window": window, "stride": stride, "calibration": calibrated},
        versions(),
        now(),
        request.dataflow,
    )


def _windows(request: EvaluateRequest, positions: int) -> tuple[int, int]:
    window, stride = request.windows(positions)
    check_windows(window, stride, positions)
    return window, stride


def _baseline(
    asked: Path | None, directory: Path | None, loaded: LoadedModel, say: Callable[[str], None]
) -> tuple[PreTrainedModel, str]:
    """The analog model to compare with, and where its weights came from."""
    if loaded.spiking is None:
        if asked is not None:
            raise ModelError(
                f"'{loaded.name}' is an analog model and its own baseline; leave --baseline out, "
                "or give a converted model"
            )
        return loaded.model, loaded.weights
    assert directory is not None  # converted models are only read from directories
    if asked is None and (directory / "analog" / "config.json").is_file():
        asked = directory / "analog"
    if asked is None:
        say(f"Baseline: the analog model with the parameters of {loaded.name} (no --baseline).")
        return loaded.model, loaded.weights
    if not asked.is_dir():
        raise ModelError(f"baseline '{asked}' is not a directory; give one with a config.json")
    baseline = load_model(str(asked), Weights.PRETRAINED)
    if baseline.spiking is not None:
        raise ModelError(f"baseline '{asked}' is a converted model; give an analog one")
    if baseline.tokenizer.get_vocab() != loaded.tokenizer.get_vocab():
        raise ModelError(
            f"baseline '{asked}' has another tokenizer than '{loaded.name}', so that the same text "
            "is other tokens to it; give the analog model that it was converted from"
        )
    say(f"Baseline: {asked}, weights={baseline.weights}.")
    return baseline.model, baseline.weights
