"""A model and its conversion, layer by layer: opened, announced, checked, calibrated."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from neurt.families import Shape, has_conversion, not_converted
from neurt.loading.models import Weights
from neurt.loading.source import ModelSource
from neurt.measure.pair import say_zones, warn
from neurt.measure.planning import versions
from neurt.progress import Progress, Say, silent
from neurt.requests.loaded import Weights as Asked
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import ConversionError
from neurt.spiking.foreseen import Foreseen
from neurt.streaming.opened import OpenedModel, open_model
from neurt.streaming.skeleton import Streamed, StreamError
from neurt.streaming.state import StreamState
from neurt.streaming.thresholds import Calibration as Calibrating
from neurt.text.data import Calibration

#: Where, in an output directory, what a stream has done so far is kept until it is done.
UNFINISHED = "unfinished"


def open_streamed(
    source: ModelSource,
    request: Asked,
    check: Callable[[Shape], object],
    progress: Progress,
    say: Say,
) -> OpenedModel:
    """Open a model and say whose weights it has, as `pair.load` does for one that is loaded.

    Raises:
        ConversionError: If nothing converts its family.
        StreamError: If it cannot be run layer by layer.
    """

    def fits(shape: Shape) -> None:
        if not has_conversion(shape):
            raise ConversionError(not_converted(shape))
        check(shape)

    if source.shape is not None:
        fits(source.shape)
    progress("opening the model", 0, 1)
    opened = open_model(
        source, Weights(request.weights), device=request.device, dtype=request.dtype
    )
    say(opened.announcement)
    fits(opened.shape)
    progress("opening the model", 1, 1)
    return opened


def stream_state(
    out: Path,
    request: Mapping[str, object],
    models: Sequence[OpenedModel],
    texts: Sequence[Tensor],
    say: Say = silent,
) -> StreamState:
    """Where a stream goes on if it was interrupted, in its output directory.

    Args:
        out: The output directory.
        request: What was asked.
        models: The models, whose files must be what they were.
        texts: Token ids of all that is read.
        say: Told if what is there is of something else, and the stream begins again.

    Raises:
        OutputError: If it cannot be written.
    """
    digest = hashlib.sha256()
    for ids in texts:
        digest.update(f"{tuple(ids.shape)}".encode() + ids.numpy().tobytes())
    key = {
        "request": request,
        "placed": [model.placed for model in models],
        "files": [model.stored.identity for model in models],
        "sizes": [model.model.model.config.to_dict() for model in models],
        "texts": digest.hexdigest(),
        "versions": dict(versions()),
    }
    state = StreamState(out / UNFINISHED, key)
    if state.dropped:
        say(
            f"What was begun in {out} is of another request, text, model, device or version: it "
            "begins again."
        )
    return state


def streamed_version(
    opened: OpenedModel,
    spiking: SpikingConfig,
    calibration: Calibration,
    state: StreamState,
    progress: Progress = silent,
    say: Say = silent,
) -> Streamed:
    """Convert a model; one that is converted already stays what it is. See `pair`."""
    if opened.spiking is not None:
        timesteps = SpikingConfig.model_validate(opened.spiking.model.config.spiking).timesteps
        say(f"{opened.name} is a converted model: T = {timesteps}, as stored with it.")
        return opened.spiking
    chosen = spiking.resolved(trained=True)
    say_zones(spiking, chosen, say, random=False)
    if chosen.conflict:
        raise ConversionError(chosen.conflict)
    model = opened.converted(chosen)

    def judge(found: Foreseen) -> None:
        warn(say, found)

    Calibrating(
        model,
        calibration.windows,
        state,
        lambda done, total: progress("converting", done, total),
    ).run(None if say is silent else judge)
    return model


def check_disk(out: Path, needed: int) -> None:
    """Make sure that what a stream writes finds room, before it begins.

    Args:
        out: The output directory; what a stream has left there is counted as room.
        needed: Bytes.

    Raises:
        StreamError: If it does not.
    """
    there = out
    while not there.exists():
        there = there.parent
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    free = shutil.disk_usage(there).free + written
    if needed > free:
        raise StreamError(
            f"--stream writes {needed:,} bytes to '{out}' (activations, and weights where a model "
            f"is written), and {free:,} bytes are free there; choose another --out, or read less "
            "text"
        )
