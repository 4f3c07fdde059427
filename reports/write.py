"""Write a run to a directory."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from energy import Counts, Estimate, Saving, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.counts.file import to_csv
from hwmodels import Op
from reports.kit.files import prepare_directory, slugs, write_text
from reports.kit.pictures import Pictures, draw
from reports.run.run import PUBLISHED_SAVING, PUBLISHED_SOURCE, Run
from reports.run.steps import steps_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Version of `run.json` and `counts.csv` together; `reports.read` takes no other.
FORMAT = 2

#: What no report of this version contains, said in each of them.
NOT_MODELLED = (
    "residual additions, dropout and sampling (listed as uncounted)",
    "control, clock, instruction fetch, links between chips",
    "registers, tiles and fusion: each result goes to memory and comes back",
    "leakage where no latency is known",
)


def write_report(
    run: Run,
    out: Path,
    *,
    pictures: Pictures = Pictures.ALL,
    page: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write the tables, the pictures, the page and, as a sign that all is there, `run.json`.

    Args:
        run: What to report.
        out: A directory, made if need be; files of the same names are replaced.
        pictures: The formats of the pictures.
        page: Whether to write `report.html`.
        progress: Told what is being written.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    prepare_directory(out)
    progress("tables")
    files = [write_text(out / name, text) for name, text in _tables(run).items()]
    if pictures is not Pictures.NONE:
        for stem, figure in _pictures(run):
            progress(f"picture {stem}")
            files += draw(figure, out / stem, pictures)
    if page:
        from reports.page.page import page as page_text

        progress("page")
        files.append(write_text(out / "report.html", page_text(run)))
    files.append(write_text(out / "run.json", json.dumps(summary(run), indent=2) + "\n"))
    return files


def _tables(run: Run) -> dict[str, str]:
    """The text of each table, by the name of its file."""
    from reports.views import baselines
    from reports.views import tables as table
    from reports.views.markdown import summary_markdown
    from reports.views.phases import phases_csv

    compared = baselines.compare(run)
    frames = {
        "layers.csv": table.layers_frame(run),
        "savings.csv": table.savings_frame(run),
        "baselines.csv": baselines.baselines_frame(run, compared),
    }
    return {
        **counted(run),
        "phases.csv": phases_csv(run),
        **{name: frame.to_csv(index=False, lineterminator="\n") for name, frame in frames.items()},
        "summary.md": summary_markdown(run, compared),
    }


def _pictures(run: Run) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Each picture, by the name of its files."""
    # matplotlib takes half a second to import
    from reports.views.phases import phase_bills
    from reports.views.plot_components import per_component
    from reports.views.plot_layers import per_layer
    from reports.views.plot_phases import per_phase
    from reports.views.plot_spike_rates import spike_rates

    about = (run.title, run.subtitle)
    if (rates := spike_rates(run.ssa, run.steps, *about)) is not None:
        yield "spike_rates", lambda: rates
    for (hw, sides), slug in zip(run.estimates.items(), slugs(run.estimates), strict=True):
        yield f"layers_{slug}", partial(per_layer, *sides, *about)
        yield f"components_{slug}", partial(per_component, *sides, *about)
        if len(run.phases) > 1:
            yield f"phases_{slug}", partial(per_phase, phase_bills(run, hw), *about)


def counted(run: Run) -> dict[str, str]:
    """The files that hold what was counted, with their text.

    `counts.csv` has both variants, phase by phase; `steps.csv` is there if spikes were counted by
    time step.
    """
    sides = (side for phase in run.phases for side in (phase.asa, phase.ssa))
    texts = {"counts.csv": to_csv(sides)}
    return texts | {"steps.csv": steps_csv(run.steps)} if run.steps else texts


def summary(run: Run) -> dict[str, object]:
    """The content of `run.json`: totals, provenance, assumptions, what is missing.

    With `counts.csv` (and `steps.csv`) it is the whole run: `reports.read.read_run` makes the same
    run of them.
    """
    return {
        "format": FORMAT,
        "sha256": {name: sha256(text.encode()) for name, text in counted(run).items()},
        "command": run.command,
        "created": run.created,
        "model": run.asa.model,
        "weights": run.asa.weights,
        "settings": dict(run.settings),
        "versions": dict(run.versions),
        "dataflow": run.dataflow,
        "latency_s": dict(run.latency_s),
        "int8": {
            name: profile.model_dump(mode="json", exclude_none=True)
            for name, profile in run.int8.items()
        },
        "counts": {side.variant: counts_summary(side) for side in (run.asa, run.ssa)},
        "request": [
            {
                "name": phase.name,
                "generated": phase.generated,
                "counts": {side.variant: counts_summary(side) for side in (phase.asa, phase.ssa)},
            }
            for phase in run.request
        ],
        "hardware": {
            name: {
                "profile": asa.profile.model_dump(mode="json", exclude_none=True),
                **savings_summary(asa, ssa),
                "coverage": {"asa": asa.coverage, "ssa": ssa.coverage},
                "unpriced": {
                    side.counts.variant: {op.value: n for op, n in side.unpriced.items()}
                    for side in (asa, ssa)
                },
            }
            for name, (asa, ssa) in run.estimates.items()
        },
        "published": {"attention_block_saving": PUBLISHED_SAVING, "source": PUBLISHED_SOURCE},
        "not_modelled": NOT_MODELLED,
        "operations": {op.value: op.definition for op in Op},
    }


def sha256(data: bytes) -> str:
    """The hash of a file of the run, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def counts_summary(counts: Counts) -> dict[str, object]:
    """Totals of counts, and what of them `counts.csv` has no column for."""
    return {
        "dense_macs": counts.dense_macs,
        **{op.value: counts.total(op) for op in Op},
        "events_per_mac": counts.events_per_mac,
        "tokens": counts.tokens,
        "timesteps": counts.timesteps,
        "phase": counts.phase,
        "batch": counts.batch,
        "attention": counts.attention,
        "uncounted": dict(counts.uncounted),
    }


def savings_summary(asa: Estimate, ssa: Estimate) -> dict[str, dict[str, dict[str, object]]]:
    """What is saved in the attention block and in the model, by accounting."""
    return {
        name: {
            accounting: _saving_summary(saving(asa, ssa, accounting, block=block))
            for accounting in ACCOUNTINGS
        }
        for name, block in (("attention_block", "attention"), ("model", None))
    }


def _saving_summary(part: Saving) -> dict[str, object]:
    return {
        "asa_pj": part.asa_pj,
        "ssa_pj": part.ssa_pj,
        "saving": part.saving,
        "unpriced": [op.value for op in part.unpriced],
    }


def write_prices(bills: Iterable[Estimate], path: Path) -> Path:
    """Write `energy.csv`: energy per row and a `TOTAL` row, per hardware and variant.

    Raises:
        OutputError: If the file cannot be written.
    """
    from reports.views.tables import ENERGY_COLUMNS, energy_rows

    text = io.StringIO()
    writer = csv.DictWriter(text, ENERGY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for bill in bills:
        writer.writerows(energy_rows(bill))
    return write_text(path, text.getvalue())
