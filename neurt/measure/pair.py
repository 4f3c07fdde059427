"""A model and its conversion: loaded, announced, checked, calibrated, converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from torch import Tensor

from neurt.families import Shape, has_conversion, not_converted
from neurt.loading.models import LoadedModel, Weights, load_model
from neurt.loading.source import ModelSource
from neurt.progress import Progress, Say, silent
from neurt.requests.base import Calibrated
from neurt.requests.loaded import Seeded
from neurt.requests.loaded import Weights as Asked
from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.conversion import ConversionError, convert, fuse
from neurt.spiking.foreseen import Foreseen
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.streaming.opened import OpenedModel
from neurt.text.data import Calibration, calibration, check_ids
from reports.kit.caveats import are_random

#: Tokens of a calibration window, unless longer passes are counted.
WINDOW = 128


def load(
    source: ModelSource,
    request: Asked,
    check: Callable[[Shape], object],
    progress: Progress,
    say: Say,
    *,
    any_ids: bool = False,
    analog: bool = False,
    values: bool = True,
) -> LoadedModel:
    """Load the model of a request and say whose weights it has; see `models.load_model`.

    `check` raises if the sizes do not fit what is asked: it is called before minutes are spent on
    loading where they are at hand, and with those of the model that was loaded. Unless the `analog`
    model is all that is wanted, ConversionError is raised where nothing converts its family.
    """

    def fits(shape: Shape) -> None:
        if not analog and not has_conversion(shape):
            raise ConversionError(not_converted(shape))
        check(shape)

    if source.shape is not None:
        fits(source.shape)
    progress("loading the model", 0, 1)
    loaded = load_model(
        source,
        Weights(request.weights),
        request.seed if isinstance(request, Seeded) else 0,
        progress,
        device=request.device,
        dtype=request.dtype,
        device_map=getattr(request, "device_map", None),
        any_ids=any_ids,
        values=values,
    )
    say(loaded.announcement)
    fits(loaded.shape)
    return loaded


def calibrate(
    loaded: LoadedModel | OpenedModel, request: Calibrated, inputs: Iterable[Tensor], window: int
) -> Calibration:
    """Cut the calibration text of a model into windows of so many tokens, and check all its ids."""
    calibrated = Calibration()
    if loaded.spiking is None:
        calibrated = calibration(
            loaded.tokenizer,
            tokens=window,
            model=loaded.source.directory,
            own=request.calibration,
            total=request.calibration_tokens,
            detokenise=request.detokenise,
        )
    check_ids([*inputs, *calibrated.windows], loaded.shape.vocabulary)
    return calibrated


def warn(say: Say, found: Foreseen) -> None:
    """Say what there is to say of what a conversion costs."""
    if found.warning:
        say(found.warning)


def say_zones(asked: SpikingConfig, chosen: SpikingConfig, say: Say, *, random: bool) -> None:
    """Say which dead zones `auto` means, where there are any."""
    if Code.POW2 in (chosen.code, chosen.code_of_attention) and chosen != asked:
        why = "random" if random else "trained"
        say(f"Dead zones by {chosen.dead_zone}: the weights are {why}.")


def spiking_version(
    loaded: LoadedModel,
    spiking: SpikingConfig,
    calibration: Calibration,
    progress: Progress = silent,
    say: Say = silent,
    *,
    fused: bool = False,
) -> SpikingLanguageModel:
    """Convert a model, sharing its parameters; one that is converted already stays what it is.

    Dead zones `auto` are decided here, and said. `fused` is that of `convert`.
    """
    if fused:
        say("Codes and neurons run as compiled kernels; each takes some seconds to make, once.")
    if loaded.spiking is None:
        random = are_random(loaded.weights)
        chosen = spiking.resolved(trained=not random)
        say_zones(spiking, chosen, say, random=random)
        return convert(
            loaded.model,
            chosen,
            calibration.windows,
            lambda done, total: progress("converting", done, total),
            None if random or say is silent else partial(warn, say),
            fused=fused,
            spread=loaded.spread,
        )
    if loaded.spread is not None:
        loaded.spread(loaded.model)
        loaded.spread(loaded.spiking)
    if fused:
        fuse(loaded.spiking)
    timesteps = loaded.spiking.choices.timesteps
    say(f"{loaded.name} is a converted model: T = {timesteps}, as stored with it.")
    return loaded.spiking
