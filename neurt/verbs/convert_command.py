"""What runs for `convert`: from parsed flags to the directory of a converted model."""

from __future__ import annotations

import argparse
import json


def run(request: argparse.Namespace) -> None:
    """Convert a model and write it to a new directory.

    Raises:
        ModelError: If the model cannot be loaded.
        ConversionError: If it cannot be converted, or is converted already.
        TextError: If the calibration text cannot be used.
        QualityError: If the window is longer than the positions of the model.
        OutputError: If the directory holds something, or cannot be written.
    """
    # Late, so that a command waits only for what it needs.
    from neurt.families import read_shape
    from neurt.loading.models import Weights, load_model
    from neurt.loading.saving import save_model
    from neurt.loading.source import resolve
    from neurt.measure.planning import now, versions
    from neurt.spiking.conversion import ConversionError, convert
    from neurt.text.data import calibration_text, calibration_windows, check_ids, copy_texts
    from neurt.text.windows import check_windows
    from neurt.verbs.console import terminal_console
    from neurt.verbs.flags_conversion import conversion_of
    from reports.kit.files import OutputError, check_directory, prepare_directory, write_text
    from reports.kit.progress import progress_bars

    console = terminal_console()
    out = check_directory(request.out)
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"output directory '{out}' is not empty; choose another --out")
    source = resolve(request.model)
    with progress_bars(console) as progress:
        progress("loading the model", 0, 1)
        loaded = load_model(request.model, Weights(request.weights), request.seed, progress)
        if loaded.spiking is not None:
            raise ConversionError(f"'{request.model}' is a converted model; give an analog one")
        why = f" ({loaded.why_random})" if loaded.why_random else ""
        console.print(f"{loaded.name}: weights={loaded.weights}{why}", markup=False)
        shape = read_shape(loaded.model.config.to_dict(), loaded.name)
        window = request.window or min(shape.positions, 256)
        check_windows(window, window, shape.positions)
        own = {"own": request.calibration, "detokenise": request.detokenise}
        calibration = calibration_windows(
            loaded.tokenizer,
            tokens=window,
            model=source.directory,
            total=request.calibration_tokens,
            **own,
        )
        check_ids(calibration, shape.vocabulary)
        progress("loading the model", 1, 1)
        spiking = convert(
            loaded.model,
            conversion_of(request),
            calibration,
            lambda done, total: progress("converting", done, total),
        )
        progress("writing", 0, 1)
        facts = {
            "model": loaded.name,
            "weights": loaded.weights,
            "calibration": calibration_text(source.directory, **own)[1],
            "calibration_tokens": sum(ids.numel() for ids in calibration),
            "spiking": spiking.config.spiking,
            "versions": dict(versions()),
            "created": now(),
        }
        copy_texts(source.directory, prepare_directory(out))
        save_model(spiking, loaded.tokenizer, out)
        write_text(out / "convert.json", json.dumps(facts, indent=2) + "\n")
        progress("writing", 1, 1)
    console.print(
        f"\nWritten to {out}. Judge it:  neurt-energy evaluate --model {out}\n"
        "In Python, `import neurt.spiking.modeling`, then AutoModelForCausalLM.from_pretrained.",
        markup=False,
    )
