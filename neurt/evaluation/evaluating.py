"""The verb `evaluate`: from a request to an evaluation, by measuring."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neurt.baselines.asked import check, parse_all
from neurt.baselines.baselines import Baseline, known, prepare
from neurt.evaluation.comparison import check_pair
from neurt.evaluation.describing import described, share_of
from neurt.evaluation.quality import read_windows
from neurt.evaluation.read import Facts, Read, Twin
from neurt.evaluation.streamed import compare_streamed
from neurt.families import Shape
from neurt.loading.faults import explains_device
from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.loading.placement import compute_device
from neurt.loading.source import resolve
from neurt.measure.layerwise import (
    check_disk,
    open_streamed,
    stream_state,
    streamed_version,
)
from neurt.measure.memory import activation_bytes
from neurt.measure.objective import aim_of
from neurt.measure.pair import WINDOW, calibrate, load, spiking_version
from neurt.measure.widths import stored_widths
from neurt.progress import Progress, Say, silent
from neurt.requests.evaluate import EvaluateRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.streaming.opened import OpenedModel, open_model
from neurt.text.data import Calibration, read_text
from neurt.text.data import calibration as calibrated_on
from neurt.text.encoding import token_ids
from neurt.text.windows import batches, check_windows, plan_windows
from reports.quality.evaluation import Comparison, Evaluation


@explains_device
def run_evaluate(
    request: EvaluateRequest, progress: Progress = silent, say: Say = silent
) -> Evaluation:
    """Let a spiking model and its analog one read the same text.

    Raises:
        ModelError: If the model or its baseline cannot be loaded, or is not what it must be.
    """
    return described(request, *measured(request, progress, say))


@explains_device
def measured(
    request: EvaluateRequest,
    progress: Progress = silent,
    say: Say = silent,
    part: tuple[int, int] = (0, 1),
) -> tuple[Facts, Read | Comparison]:
    """What `run_evaluate` describes, or a part of it.

    Args:
        part: Which part of the windows is read, counted from 0, and how many there are. Several
            give `Read` each; the sum of all is that of one.

    Raises:
        QualityError: If there are more parts than batches of windows.
    """
    request.profiles()  # they are what they must be, before anything is loaded
    source = resolve(request.model)
    conversion = source.conversion or request.spiking
    check(known(parse_all(request.baselines), conversion), conversion)
    text, text_name = read_text(request.text, source.directory, detokenise=request.detokenise)

    def check_sizes(shape: Shape) -> None:
        _windows(request, shape.span)

    loaded: LoadedModel | OpenedModel
    if request.stream:
        loaded = open_streamed(source, request, check_sizes, progress, say)
    else:
        loaded = load(source, request, check_sizes, progress, say)
    window, stride = _windows(request, loaded.shape.span)
    analog = _baseline(request, loaded, say)
    ids = token_ids(loaded.tokenizer.encode, text, request.max_tokens)
    plan = plan_windows(ids.numel(), window, stride)  # before minutes are spent on converting
    parts = share_of(list(batches(plan, request.batch)), *part)
    longest = min(loaded.shape.span, max(window, WINDOW))
    calibration = calibrate(loaded, request, [ids], longest)
    progress("loading the model", 1, 1)
    stored = stored_widths(loaded.source, loaded.weights, request.widths)
    aim = aim_of(request, loaded.weights, loaded.shape, stored)
    read: Read | Comparison
    if isinstance(loaded, OpenedModel):
        assert isinstance(analog, OpenedModel)
        rest = aim.spiking, calibration, ids, progress, say
        read, choices = _streamed(request, analog, loaded, *rest)
        twins: tuple[Twin, ...] = ()
    else:
        assert isinstance(analog, LoadedModel)
        spiking = spiking_version(
            loaded, aim.spiking, calibration, progress, say, fused=request.compile_codes
        )
        check_pair(analog.model, spiking, ids, window, stride)
        prepared = _prepared(request, analog, loaded, spiking, calibration)
        read = read_windows(
            analog.model,
            spiking,
            ids,
            parts,
            request.conventions,
            prepared,
            lambda done, total: progress("reading", done, total),
        )
        choices = spiking.config.spiking
        twins = tuple(Twin(each.name, each.kind, each.number) for each in prepared)
    facts = Facts(
        *(loaded.name, loaded.weights, analog.weights, choices, text_name, calibration.name),
        *(loaded.placed, aim.facts, (window, stride, len(plan)), loaded.shape.layers),
        twins,
    )
    return facts, read


def _windows(request: EvaluateRequest, positions: int) -> tuple[int, int]:
    window, stride = request.windows(positions)
    check_windows(window, stride, positions)
    return window, stride


def _prepared(
    request: EvaluateRequest,
    analog: LoadedModel,
    loaded: LoadedModel,
    spiking: SpikingLanguageModel,
    calibration: Calibration,
) -> tuple[Baseline, ...]:
    """The twins of the analog model that are asked for."""
    asked = known(parse_all(request.baselines), spiking.choices)
    if loaded.spiking is not None and any(each.is_calibrated for each in asked):
        window, _ = _windows(request, loaded.shape.span)
        longest = min(loaded.shape.span, max(window, WINDOW))
        directory = loaded.source.directory
        calibration = calibrated_on(loaded.tokenizer, tokens=longest, model=directory)
    seen = [ids.to(compute_device(analog.model)) for ids in calibration.windows]
    return tuple(prepare(asked, analog.model, spiking, seen))


def _streamed(
    request: EvaluateRequest,
    analog: OpenedModel,
    opened: OpenedModel,
    chosen: SpikingConfig,
    calibration: Calibration,
    ids: Tensor,
    progress: Progress,
    say: Say,
) -> tuple[Comparison, dict[str, Any]]:
    """The comparison of models of which one transformer layer is in memory, and the conversion."""
    window, stride = _windows(request, opened.shape.span)
    calibrated = sum(text.numel() for text in calibration.windows)
    read = sum(part.tokens for part in plan_windows(ids.numel(), window, stride))
    converts = None if opened.spiking else chosen
    check_disk(request.out, activation_bytes(opened.shape, converts, calibrated, read))
    facts = request.model_dump(mode="json", exclude={"out", "hw"})
    models, texts = [opened, analog], [*calibration.windows, ids]
    state = stream_state(request.out, facts, models, texts, say)
    spiking = streamed_version(opened, chosen, calibration, state, progress, say)
    found = compare_streamed(
        analog.model,
        spiking,
        ids,
        window=window,
        stride=stride,
        batch=request.batch,
        conventions=request.conventions,
        state=state,
        progress=lambda done, total: progress("reading", done, total),
    )
    state.remove()
    return found, spiking.model.config.spiking


def _baseline(
    request: EvaluateRequest, loaded: LoadedModel | OpenedModel, say: Say
) -> LoadedModel | OpenedModel:
    """The model whose analog side is compared with."""
    asked = request.baseline
    if loaded.spiking is None:
        if asked is not None:
            raise ModelError(
                f"'{loaded.name}' is an analog model and its own baseline; leave --baseline out, "
                "or give a converted model"
            )
        return loaded
    directory = loaded.source.directory
    assert directory is not None  # converted models are only read from directories
    if asked is None and (directory / "analog" / "config.json").is_file():
        asked = directory / "analog"
    if asked is None:
        say(f"Baseline: the analog model with the parameters of {loaded.name} (no --baseline).")
        return loaded
    if not asked.is_dir():
        raise ModelError(f"baseline '{asked}' is not a directory; give one with a config.json")
    device, dtype = request.device, request.dtype
    baseline: LoadedModel | OpenedModel
    if isinstance(loaded, OpenedModel):
        baseline = open_model(str(asked), Weights.PRETRAINED, device=device, dtype=dtype)
    else:
        baseline = load_model(
            str(asked),
            Weights.PRETRAINED,
            device=device,
            dtype=dtype,
            device_map=request.device_map,
        )
        if baseline.spread is not None:
            baseline.spread(baseline.model)
    if baseline.spiking is not None:
        raise ModelError(f"baseline '{asked}' is a converted model; give an analog one")
    if baseline.tokenizer.get_vocab() != loaded.tokenizer.get_vocab():
        raise ModelError(
            f"baseline '{asked}' has another tokenizer than '{loaded.name}', so that the same text "
            "is other tokens to it; give the analog model that it was converted from"
        )
    say(f"Baseline: {asked}, weights={baseline.weights}.")
    return baseline
