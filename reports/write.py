"""Write a run to a directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hwmodels.given import check_kind, chosen
from reports.kit.files import prepare_directory, write_json, write_text
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.run.run import Run
from reports.run.summary import counted, summary
from reports.shown import TABLES
from reports.sources.run import sources_bib
from reports.views.latex import run_latex
from reports.views.markdown import summary_markdown
from reports.views.phases import phase_bills
from reports.views.times import times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Formats of pictures, and pictures of each hardware.
_FORMATS = ("png", "svg", "pdf")
_DRAWN = ("layers", "components", "phases", "roofline", "batch")


def write_report(
    run: Run,
    out: Path | str,
    *,
    pictures: Pictures | str = Pictures.ALL,
    fit: Fit | str = Fit.TWO,
    page: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write everything: `write_tables`, then `write_views`.

    Args:
        run: What to report.
        out: A directory, made if need be; files of the same names are replaced.
        pictures: The formats of the pictures: `all` (PNG and SVG), `png`, `svg`, `pdf` or `none`.
        fit: How wide they may be: `one` column of a paper, or the width of `two`.
        page: Whether to write `report.html`.
        progress: Told what is being written.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
        KindError: If `run` is none; a run is what `neurt.profile_model` returns.
        ChoiceError: If `pictures` or `fit` is none of these words.
    """
    check_kind("run", run, Run, "`neurt.profile_model` and `reports.read_run` return one")
    pictures, fit = chosen("pictures", pictures, Pictures), chosen("fit", fit, Fit)
    out = Path(out)
    progress("tables")
    files = write_tables(run, out)
    return files + write_views(run, out, pictures=pictures, fit=fit, page=page, progress=progress)


def write_tables(run: Run, out: Path) -> list[Path]:
    """Write the tables and `summary.md`, at once; see `write_report`."""
    prepare_directory(out)
    made = ["phases", "layers", "savings", "baselines", "blocks"]
    if times(run).rows:
        made.append("times")
    texts = {
        **counted(run),
        **{f"{name}.csv": TABLES[name](run).to_csv() for name in made},
        "summary.md": summary_markdown(run),
    }
    return [write_text(out / name, text) for name, text in texts.items()]


def write_views(
    run: Run,
    out: Path,
    *,
    pictures: Pictures = Pictures.ALL,
    fit: Fit = Fit.TWO,
    page: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write the pictures, the page, the sources and, as a sign that all is there, `run.json`.

    See `write_report`; the directory is one that exists.
    """
    files: list[Path] = []
    if pictures is not Pictures.NONE:
        for stem, figure in _pictures(run, fit):
            progress(f"picture {stem}")
            files += draw(figure, out / stem, pictures)
    if page:
        from reports.page.page import page as page_text

        progress("page")
        files.append(write_text(out / "report.html", page_text(run)))
    files.append(write_text(out / "sources.bib", sources_bib([run])))
    files.append(write_json(out / "run.json", summary(run)))
    return files


def views_of(out: Path) -> set[Path]:
    """What the run that a directory holds may have there beside the tables that every run has.

    A run that replaces it and writes less (no page, fewer formats, other hardware) would otherwise
    have pictures of another run beside its tables.
    """
    try:
        hardware = list(json.loads((out / "run.json").read_text(encoding="utf-8"))["hardware"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # no run that can be told from files of the user's own
    stems = [f"{kind}_{slug}" for kind in _DRAWN for slug in slugs(hardware)]
    pictures = {f"{stem}.{x}" for stem in ("spike_rates", *stems) for x in _FORMATS}
    made = pictures | {"report.html", "roofline.csv", "batch.csv", "steps.csv", "times.csv"}
    made |= {"card.md", "card.json", "table.tex", "sources.bib"}
    return {out / name for name in made}


def _pictures(run: Run, fit: Fit) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Each picture, by the name of its files."""
    # matplotlib takes half a second to import
    from reports.views.plot_components import per_component
    from reports.views.plot_layers import per_layer
    from reports.views.plot_phases import per_phase
    from reports.views.plot_spike_rates import spike_rates

    about = (run.title, run.subtitle)
    # What a plan assumes of each layer is no measurement.
    rates = None if run.command == "plan" else spike_rates(run.ssa, run.steps, *about, fit)
    if rates is not None:
        yield "spike_rates", lambda: rates
    for (hw, sides), slug in zip(run.estimates.items(), slugs(run.estimates), strict=True):
        yield f"layers_{slug}", partial(per_layer, *sides, *about, run.quality, fit)
        yield f"components_{slug}", partial(per_component, *sides, *about, fit)
        if len(run.phases) > 1:
            yield f"phases_{slug}", partial(per_phase, phase_bills(run, hw), *about, fit)


def write_run_latex(run: Run, out: Path, fit: Fit) -> Path:
    """Write `table.tex`, a table of a run for a paper; raises OutputError if it cannot."""
    return write_text(out / "table.tex", run_latex(run, fit))


def write_run_parquet(run: Run, out: Path) -> list[Path]:
    """Write `counts.parquet`, `layers.parquet` and `savings.parquet` of a run.

    Raises:
        ParquetError: If pyarrow is not installed, or a number is too large for it.
    """
    from reports.kit.parquet import write_parquet  # pandas takes half a second to import

    made = ("counts", "layers", "savings")
    return [write_parquet(TABLES[x](run).to_frame(), out / f"{x}.parquet") for x in made]
