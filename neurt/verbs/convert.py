"""`convert`: the spiking version of a model as a Hugging Face directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from hwmodels.inputs import read_utf8
from neurt.families import Shape
from neurt.families.parameters import parameters
from neurt.loading.source import ModelSource, resolve
from neurt.progress import Progress
from neurt.requests.others import ConvertRequest
from neurt.verbs.console import say

if TYPE_CHECKING:
    from neurt.loading.models import LoadedModel
    from neurt.measure.objective import Aim
    from neurt.streaming.opened import OpenedModel
    from neurt.text.data import Calibration

#: What is asked for, while its files are written.
UNFINISHED = "unfinished.json"


def run(request: ConvertRequest, console: Console) -> list[Path]:
    """Convert a model and write it to a new directory; returns its record.

    The directory may also be that of the same conversion, which was killed while it wrote.

    Raises:
        ConversionError: If it cannot be converted, or is converted already.
        OutputError: If the directory holds something, or cannot be written.
    """
    from neurt.loading.faults import explains_device

    return explains_device(_convert)(request, console)


def _convert(request: ConvertRequest, console: Console) -> list[Path]:
    """The same, with errors of a device as torch words them."""
    from neurt.text.windows import check_windows
    from reports.kit.files import OutputError
    from reports.kit.progress import progress_bars

    def check(shape: Shape) -> None:
        window = _window(request, shape)
        check_windows(window, window, shape.span)

    out = request.out
    mark = out / UNFINISHED
    begun = mark.is_file() and read_utf8(mark, f"'{mark}'", OutputError, 2**20) == _asked(request)
    if any(out.iterdir()) and not begun:
        raise OutputError(f"output directory '{out}' is not empty; choose another --out")
    source = resolve(request.model)
    convert = _layer_by_layer if request.stream else _whole
    with progress_bars(console) as progress:
        path = convert(request, source, check, console, progress)
    console.print(
        f"\nWritten to {out}. Judge it:  neurt-energy evaluate --model {out}\n"
        "In Python, `import neurt.spiking.modeling`, then AutoModelForCausalLM.from_pretrained.",
        markup=False,
    )
    return [path]


def _window(request: ConvertRequest, shape: Shape) -> int:
    return request.window or min(shape.span, 256)


def _asked(request: ConvertRequest) -> str:
    """What decides the files."""
    streamed = " layer by layer" if request.stream else ""
    return request.model_dump_json(exclude={"out"}) + streamed


def _whole(
    request: ConvertRequest,
    source: ModelSource,
    check: Callable[[Shape], None],
    console: Console,
    progress: Progress,
) -> Path:
    """Convert a model that is in memory."""
    from neurt.loading.saving import save_model
    from neurt.measure.pair import load, spiking_version
    from neurt.text.data import copy_texts
    from reports.kit.files import remove, write_text

    loaded = load(source, request, check, progress, say(console))
    calibration, aim = _calibrated(request, loaded)
    progress("loading the model", 1, 1)
    spiking = spiking_version(
        loaded, aim.spiking, calibration, progress, say(console), fused=request.compile_codes
    )
    progress("writing", 0, 1)
    write_text(request.out / UNFINISHED, _asked(request))
    copy_texts(source.directory, request.out)
    if loaded.spread is not None:
        loaded.spread.gather(spiking)
    save_model(spiking, loaded.tokenizer, request.out, loaded.placement.precision)
    path = _record(request, loaded, calibration, aim, spiking.config.spiking)
    remove(request.out / UNFINISHED)
    progress("writing", 1, 1)
    return path


def _layer_by_layer(
    request: ConvertRequest,
    source: ModelSource,
    check: Callable[[Shape], None],
    console: Console,
    progress: Progress,
) -> Path:
    """Convert a model of which one transformer layer is in memory at a time."""
    from neurt.measure.layerwise import (
        check_disk,
        open_streamed,
        stream_state,
        streamed_version,
    )
    from neurt.measure.memory import activation_bytes
    from neurt.streaming.shards import discard, write_model
    from neurt.text.data import copy_texts
    from reports.kit.files import remove, write_text

    out, tell = request.out, say(console)
    opened = open_streamed(source, request, check, progress, tell)
    calibration, aim = _calibrated(request, opened)
    tokens = sum(ids.numel() for ids in calibration.windows)
    weights = 4 * parameters(opened.shape).total
    check_disk(out, activation_bytes(opened.shape, aim.spiking, tokens) + weights)
    write_text(out / UNFINISHED, _asked(request))
    facts = request.model_dump(mode="json", exclude={"out"})
    state = stream_state(out, facts, [opened], calibration.windows, tell)
    if state.dropped:
        discard(out)
    spiking = streamed_version(opened, aim.spiking, calibration, state, progress, tell)
    copy_texts(source.directory, out)
    write_model(
        spiking, opened.tokenizer, out, lambda done, total: progress("writing", done, total)
    )
    path = _record(request, opened, calibration, aim, spiking.model.config.spiking)
    state.remove()
    remove(out / UNFINISHED)
    return path


def _calibrated(
    request: ConvertRequest, loaded: LoadedModel | OpenedModel
) -> tuple[Calibration, Aim]:
    """The calibration text of a model that is to be converted, and where its zones aim."""
    from neurt.measure.objective import aim_of
    from neurt.measure.pair import calibrate
    from neurt.measure.widths import stored_widths
    from neurt.spiking.conversion import ConversionError

    if loaded.spiking is not None:
        raise ConversionError(f"'{request.model}' is a converted model; give an analog one")
    calibration = calibrate(loaded, request, (), _window(request, loaded.shape))
    stored = stored_widths(loaded.source, loaded.weights, {})
    return calibration, aim_of(request, loaded.weights, loaded.shape, stored)


def _record(
    request: ConvertRequest,
    loaded: LoadedModel | OpenedModel,
    calibration: Calibration,
    aim: Aim,
    spiking: dict[str, object],
) -> Path:
    from neurt.measure.planning import now, versions
    from reports.kit.files import write_json

    record = {
        "model": loaded.name,
        "weights": loaded.weights,
        "calibration": calibration.name,
        "calibration_tokens": sum(ids.numel() for ids in calibration.windows),
        "spiking": spiking,
        **aim.facts,
        **loaded.placed,
        "versions": dict(versions()),
        "created": now(),
    }
    return write_json(request.out / "convert.json", record)
