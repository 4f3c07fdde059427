"""The files of an evaluation and of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from energy.counts.file import to_csv
from reports.kit.caveats import PUBLISHED_SOURCE
from reports.kit.files import prepare_directory, write_json, write_text
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures, draw
from reports.quality.baselines_table import baselines_table
from reports.quality.curves import curves, curves_table
from reports.quality.evaluation import Evaluation
from reports.quality.sweep import Sweep, sweep_table
from reports.quality.table import layers_table, quality_table
from reports.sources.run import form_sources, write_sources


def write_quality(
    evaluation: Evaluation,
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `quality.csv`, `quality_layers.csv`, `counts.csv`, picture, sources and `run.json`.

    With baselines also `quality_baselines.csv`, and `quality_curves.csv` where they make curves.
    """
    prepare_directory(out)
    progress("tables")
    compared = evaluation.comparison
    files = [
        write_text(out / "quality.csv", quality_table(evaluation).to_csv()),
        write_text(out / "quality_layers.csv", layers_table(evaluation).to_csv()),
        write_text(out / "counts.csv", to_csv((compared.asa, compared.ssa))),
    ]
    if compared.baselines:
        text = baselines_table(evaluation).to_csv()
        files.append(write_text(out / "quality_baselines.csv", text))
    if curves(evaluation):
        files.append(write_text(out / "quality_curves.csv", curves_table(evaluation).to_csv()))
    if pictures is not Pictures.NONE:
        from reports.quality.picture import quality_picture  # matplotlib takes half a second

        progress("picture")
        files += draw(partial(quality_picture, evaluation), out / "quality", pictures)
    priced = [*evaluation.profiles, *evaluation.at.values()]
    files.append(write_sources(priced, out, form_sources(evaluation.conversion["form"])))
    facts = {
        "command": "evaluate",
        "created": evaluation.created,
        "model": compared.ssa.model,
        "weights": {"asa": compared.asa.weights, "ssa": compared.ssa.weights},
        "text": evaluation.text,
        "conversion": dict(evaluation.conversion),
        "settings": dict(evaluation.settings),
        "versions": dict(evaluation.versions),
    }
    files.append(write_json(out / "run.json", facts))
    return files


def write_sweep(
    sweep: Sweep, directory: Path, *, pictures: Pictures = Pictures.ALL, fit: Fit = Fit.TWO
) -> list[Path]:
    """Write `sweep.csv`, `pareto_HW.png` and `.svg` for each hardware, and the sources.

    They are those of the prices and of the published point in the pictures.
    """
    prepare_directory(directory)
    files = [write_text(directory / "sweep.csv", sweep_table(sweep).to_csv())]
    if pictures is not Pictures.NONE:
        from reports.quality.pareto_picture import pareto_picture  # as above

        for hw in filter(sweep.on, sweep.hardware):
            stem = directory / f"pareto_{hw}"
            drawn = partial(pareto_picture, sweep.on(hw), sweep.baselines_on(hw), fit)
            files += draw(drawn, stem, pictures)
    if sweep.profiles:
        forms = dict.fromkeys(point["form"] for point in sweep.points)
        texts = [PUBLISHED_SOURCE, *(text for form in forms for text in form_sources(form))]
        files.append(write_sources(sweep.profiles, directory, texts))
    return files
