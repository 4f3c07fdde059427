"""Profile a model that is in memory: the verb `profile` from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from energy import Attention, exposed_attention
from hwmodels import Dataflow, HardwareProfile, load_profile
from neurt.closed_form.passes import check_stages
from neurt.families import label, read_shape
from neurt.measure.planning import assemble, int8_prices, settings
from neurt.measure.stages import count_stages
from neurt.measure.steps import StepMeter
from neurt.requests.passes import PassRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import analog_of, check_convertible, convert
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.data import check_ids
from reports.run.run import Phase, Run


def profile_model(
    model: PreTrainedModel,
    input_ids: Tensor | Sequence[Sequence[int]] | Sequence[int],
    *,
    hw: Sequence[str | HardwareProfile] = ("45nm",),
    spiking: SpikingConfig | None = None,
    calibration: Sequence[Tensor] | None = None,
    name: str = "",
    weights: str = "in memory",
    attention: Attention = Attention.FULL,
    dataflow: Dataflow | None = None,
) -> Run:
    """Count a model and its spiking conversion on token ids, and price both.

    The model is left as it was: its mode, its attention, its parameters.

    Args:
        model: A language model of a family that can be converted, or one converted before.
        input_ids: Token ids (batch, tokens), or those of one sequence.
        hw: Hardware, by name, file or profile.
        spiking: Choices of the conversion; a converted model has its own.
        calibration: Token ids (batch, tokens), one tensor per window, for the thresholds; None
            for `input_ids` themselves, which flatters spikes a little, and is said in the
            settings.
        name: What reports call the model; its `name_or_path` unless given.
        weights: Where its weights came from, for reports.
        attention: Which query-key pairs are counted.
        dataflow: How often operands of spiking layers move; None for what each profile says.

    Returns:
        The run: `to_frame()`, `plot()`, and `reports.write_report(run, directory)`.

    Raises:
        ConversionError: If the model is of another type, or cannot be converted.
        TextError: If a token id is not in the vocabulary.
        PlanError: If there are more tokens than positions.
        ProfileError: If a hardware profile cannot be loaded.
        ValueError: If `input_ids` are no token ids, or a converted model is given `spiking`.
    """
    converted = isinstance(model, SpikingLanguageModel)
    if not converted:
        check_convertible(model)
    if converted and spiking is not None:
        raise ValueError("a converted model has its own spiking configuration; leave out `spiking`")
    profiles = tuple(one if isinstance(one, HardwareProfile) else load_profile(one) for one in hw)
    if not profiles:
        raise ValueError("no hardware to price on; give `hw` at least one profile")
    ids = _token_ids(input_ids, model)
    shape = read_shape(model.config.to_dict(), name or "the model")
    windows = [ids] if calibration is None else [_token_ids(x, model) for x in calibration]
    check_ids([ids, *windows], shape.vocabulary)
    chosen = SpikingConfig.model_validate(model.config.spiking) if converted else spiking
    request = PassRequest(
        model=name or _name(model),
        hw=tuple(profile.name for profile in profiles),
        seq_len=ids.shape[1],
        batch=ids.shape[0],
        attention=attention,
        spiking=chosen or SpikingConfig(),
        dataflow=dataflow,
        out=Path(),
    )
    check_stages(request.stages, shape, request.model)
    was_training = model.training
    model.eval()
    try:
        run = _measure(model, ids, windows, request, profiles, weights, calibration is None)
    finally:
        model.train(was_training)
    named = request.model_copy(update={"hw": tuple(one for one in hw if isinstance(one, str))})
    return replace(run, int8=int8_prices(named))


def _measure(
    model: Any,
    ids: Tensor,
    windows: Sequence[Tensor],
    request: PassRequest,
    profiles: tuple[HardwareProfile, ...],
    weights: str,
    same_text: bool,
) -> Run:
    stages, shape = request.stages, read_shape(model.config.to_dict(), request.model)
    how: dict[str, Any] = {"model": request.model, "weights": weights, "label": label}
    how |= {"conventions": request.conventions, "batch": request.batch}
    converted = isinstance(model, SpikingLanguageModel)
    analog = analog_of(model) if converted else model
    with exposed_attention(analog):
        [asa] = count_stages(analog, [ids], stages, "counting ASA", variant="asa", **how)
    snn = model if converted else convert(analog, request.spiking, windows)
    how["timesteps"] = request.spiking.timesteps
    steps = StepMeter(snn)
    [ssa] = count_stages(
        snn, [ids], stages, "counting SSA", watch=steps.watching, variant="ssa", **how
    )
    source = "token ids of the caller"
    text = "the same token ids" if same_text else "other token ids of the caller"
    facts = {"text": source, "calibration": "stored with the model" if converted else text}
    phases = [Phase(stage.name, asa, ssa, stage.generated) for stage in stages]
    chosen = settings(request, request.spiking, shape) | facts
    return assemble("profile", request, phases, profiles, chosen, steps.counts())


def _name(model: PreTrainedModel) -> str:
    """Where it was loaded from (of a directory the last part), else its class."""
    origin = str(model.config.name_or_path or "")
    return (Path(origin).name if Path(origin).is_dir() else origin) or type(model).__name__


def _token_ids(given: Any, model: PreTrainedModel) -> Tensor:
    """Token ids as (batch, tokens), where the model is."""
    ids = torch.as_tensor(given)
    ids = ids[None] if ids.ndim == 1 else ids
    if ids.ndim != 2 or not ids.numel() or ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(
            f"token ids must be whole numbers (batch, tokens), at least one, not {ids.dtype} of "
            f"shape {tuple(ids.shape)}"
        )
    return ids.to(device=model.device, dtype=torch.long)
