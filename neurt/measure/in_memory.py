"""Profile a model that is in memory: the verb `profile` from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from energy import Attention
from hwmodels import Dataflow, HardwareProfile, Machine, TwoMachines
from hwmodels.errors import UserError
from hwmodels.given import check_kind
from hwmodels.pair import machines_of
from hwmodels.plain import quoted
from neurt.closed_form.passes import check_stages
from neurt.loading.models import LoadedModel
from neurt.loading.placement import compute_device
from neurt.loading.source import ModelSource
from neurt.measure.profiling import measure
from neurt.requests.passes import PassRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import analog_of, check_convertible
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.data import Calibration, check_ids
from reports.shown import Run

#: What an argument of hardware may be.
_HARDWARE = "give the name of a profile, a profile, or a list of them"


class ArgumentError(UserError, ValueError):
    """An argument of a function that cannot be what is meant."""


def profile_model(
    model: PreTrainedModel,
    input_ids: Tensor | Sequence[Sequence[int]] | Sequence[int],
    *,
    hw: str | Machine | Sequence[str | Machine] = ("45nm",),
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
        hw: Hardware, by name, file or profile, one or several; or a pair of
            `hwmodels.two_machines`.
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
        ArgumentError: If `input_ids` are no token ids, a converted model is given `spiking`, or
            an argument is of another type.
    """
    for argument, text in (("name", name), ("weights", weights)):
        check_kind(argument, text, str)
    loaded = _loaded(model, name, weights)
    if loaded.spiking is not None and spiking is not None:
        raise ArgumentError(
            "a converted model has its own spiking configuration; leave out `spiking`"
        )
    if not isinstance(spiking, (SpikingConfig, NoneType)):
        raise ArgumentError(f"`spiking` must be a SpikingConfig, and not {quoted(spiking)}")
    check_kind("hw", hw, (str, HardwareProfile, TwoMachines, Sequence), _HARDWARE)
    hw = (hw,) if isinstance(hw, str | HardwareProfile | TwoMachines) else tuple(hw)
    profiles = machines_of(hw)
    if not profiles:
        raise ArgumentError("no hardware to price on; give `hw` at least one profile")
    ids = _token_ids(input_ids, model)
    calibrated = Calibration()
    if loaded.spiking is None:
        given = [ids] if calibration is None else [_token_ids(x, model) for x in calibration]
        same = "the same token ids" if calibration is None else "other token ids of the caller"
        calibrated = Calibration(given, name=same)
    check_ids([ids, *calibrated.windows], loaded.shape.vocabulary)
    own = spiking if loaded.spiking is None else loaded.spiking.choices
    request = PassRequest(
        model=loaded.name,
        hw=tuple(it for it in hw if isinstance(it, str)),
        seq_len=ids.shape[1],
        batch=ids.shape[0],
        attention=attention,
        spiking=own or SpikingConfig(),
        dataflow=dataflow,
        out=Path(),
    )
    check_stages(request.stages, loaded.shape, request.model, values=True)
    was_training = model.training
    model.eval()
    try:
        return measure(request, loaded, calibrated, [ids], "token ids of the caller", profiles)
    finally:
        model.train(was_training)


def _loaded(model: PreTrainedModel, name: str, weights: str) -> LoadedModel:
    if not isinstance(model, SpikingLanguageModel):
        check_convertible(model)
    source = ModelSource(name or _name(model), None, None, None)
    if isinstance(model, SpikingLanguageModel):
        return LoadedModel(source, analog_of(model), None, weights, spiking=model)
    return LoadedModel(source, model, None, weights)


def _name(model: PreTrainedModel) -> str:
    """Where it was loaded from (of a directory the last part), else its class."""
    origin = str(model.config.name_or_path or "")
    return (Path(origin).name if Path(origin).is_dir() else origin) or type(model).__name__


def _token_ids(given: Any, model: PreTrainedModel) -> Tensor:
    """Token ids as (batch, tokens), where the model is."""
    try:
        ids = torch.as_tensor(given)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ArgumentError(
            "token ids must be whole numbers (batch, tokens), as a tokenizer makes them of a "
            f"text, and not {quoted(given)}"
        ) from error
    ids = ids[None] if ids.ndim == 1 else ids
    if ids.ndim != 2 or not ids.numel() or ids.is_floating_point() or ids.dtype == torch.bool:
        raise ArgumentError(
            f"token ids must be whole numbers (batch, tokens), at least one, not {ids.dtype} of "
            f"shape {tuple(ids.shape)}"
        )
    return ids.to(device=compute_device(model), dtype=torch.long)
