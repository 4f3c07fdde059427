"""`convert`: the spiking version of a model as a Hugging Face directory."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hwmodels.inputs import read_utf8
from neurt.families import Shape
from neurt.requests.others import ConvertRequest
from neurt.verbs.console import say

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
    from neurt.loading.saving import save_model
    from neurt.loading.source import resolve
    from neurt.measure.objective import aim_of
    from neurt.measure.pair import calibrate, load, spiking_version
    from neurt.measure.planning import now, versions
    from neurt.measure.widths import stored_widths
    from neurt.spiking.conversion import ConversionError
    from neurt.text.data import copy_texts
    from neurt.text.windows import check_windows
    from reports.kit.files import OutputError, remove, write_json, write_text
    from reports.kit.progress import progress_bars

    def window(shape: Shape) -> int:
        return request.window or min(shape.span, 256)

    def check(shape: Shape) -> None:
        check_windows(window(shape), window(shape), shape.span)

    out, asked = request.out, request.model_dump_json(exclude={"out"})
    mark = out / UNFINISHED
    begun = mark.is_file() and read_utf8(mark, f"'{mark}'", OutputError, 2**20) == asked
    if any(out.iterdir()) and not begun:
        raise OutputError(f"output directory '{out}' is not empty; choose another --out")
    source = resolve(request.model)
    with progress_bars(console) as progress:
        loaded = load(source, request, check, progress, say(console))
        if loaded.spiking is not None:
            raise ConversionError(f"'{request.model}' is a converted model; give an analog one")
        calibration = calibrate(loaded, request, (), window(loaded.shape))
        progress("loading the model", 1, 1)
        stored = stored_widths(source, loaded.weights, {})
        aim = aim_of(request, loaded.weights, loaded.shape, stored)
        spiking = spiking_version(loaded, aim.spiking, calibration, progress, say(console))
        progress("writing", 0, 1)
        record = {
            "model": loaded.name,
            "weights": loaded.weights,
            "calibration": calibration.name,
            "calibration_tokens": sum(ids.numel() for ids in calibration.windows),
            "spiking": spiking.config.spiking,
            **aim.facts,
            **loaded.placement.facts,
            "versions": dict(versions()),
            "created": now(),
        }
        write_text(mark, asked)
        copy_texts(source.directory, out)
        save_model(spiking, loaded.tokenizer, out, loaded.placement.precision)
        path = write_json(out / "convert.json", record)
        remove(mark)
        progress("writing", 1, 1)
    console.print(
        f"\nWritten to {out}. Judge it:  neurt-energy evaluate --model {out}\n"
        "In Python, `import neurt.spiking.modeling`, then AutoModelForCausalLM.from_pretrained.",
        markup=False,
    )
    return [path]
