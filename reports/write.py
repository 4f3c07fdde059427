"""Write a run to a directory."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from energy import Counts, Estimate, Saving, saving
from energy.countsfile import to_csv
from hwmodels import HardwareProfile, Op
from reports.files import prepare_directory, write_atomically, write_text
from reports.run import PUBLISHED_SAVING, PUBLISHED_SOURCE, Run

#: What no report of this version contains, said in each of them.
NOT_MODELLED = (
    "residual additions, dropout and sampling (listed as uncounted)",
    "control, clock, instruction fetch, interconnect between chips, leakage",
    "accumulator traffic and data reuse inside a matrix product",
    "latency",
)


def write_report(
    run: Run, out: Path, progress: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write `counts.csv`, `layers.csv`, `savings.csv`, the pictures and `run.json`.

    Args:
        run: What to report.
        out: A directory, made if need be; files of the same names are replaced.
        progress: Told what is being written.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    # pandas and matplotlib take a second to import
    from reports import style, table
    from reports.plot_components import per_component
    from reports.plot_layers import per_layer

    prepare_directory(out)
    frames = {"layers.csv": table.layers_frame(run), "savings.csv": table.savings_frame(run)}
    progress("tables")
    files = [write_text(out / "counts.csv", to_csv((run.asa, run.ssa)))]
    for name, frame in frames.items():
        text = frame.to_csv(index=False, lineterminator="\n")
        files.append(write_text(out / name, text))
    for profile, slug in zip(run.profiles, _slugs(run.profiles), strict=True):
        asa, ssa = run.estimates[profile.name]
        for name, draw in (("layers", per_layer), ("components", per_component)):
            progress(f"picture of the {name} on {profile.name}")
            figure = draw(asa, ssa, run.title, run.subtitle)
            for suffix in ("png", "svg"):
                path = out / f"{name}_{slug}.{suffix}"
                files.append(write_atomically(path, lambda p, f=figure: style.save(f, p)))  # type: ignore[misc]
    files.append(write_text(out / "run.json", json.dumps(summary(run), indent=2) + "\n"))
    return files


def summary(run: Run) -> dict[str, object]:
    """The content of `run.json`: totals, provenance, assumptions, what is missing."""
    return {
        "command": run.command,
        "created": run.created,
        "model": run.asa.model,
        "weights": run.asa.weights,
        "settings": dict(run.settings),
        "versions": dict(run.versions),
        "counts": {counts.variant: _counts_summary(counts) for counts in (run.asa, run.ssa)},
        "hardware": {
            name: {
                "profile": asa.profile.model_dump(mode="json", exclude_none=True),
                "attention_block": {
                    accounting: _saving_summary(saving(asa, ssa, accounting, block="attention"))
                    for accounting in ("compute", "full")
                },
                "model": {
                    accounting: _saving_summary(saving(asa, ssa, accounting))
                    for accounting in ("compute", "full")
                },
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


def _counts_summary(counts: Counts) -> dict[str, object]:
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
    from reports.table import ENERGY_COLUMNS, energy_rows

    text = io.StringIO()
    writer = csv.DictWriter(text, ENERGY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for bill in bills:
        writer.writerows(energy_rows(bill))
    return write_text(path, text.getvalue())


def _slugs(profiles: Iterable[HardwareProfile]) -> list[str]:
    """A part of a file name for each profile, all different."""
    slugs: list[str] = []
    for profile in profiles:
        stem = slug = re.sub(r"[^A-Za-z0-9._-]+", "-", profile.name)
        number = 2
        while slug in slugs:
            slug, number = f"{stem}-{number}", number + 1
        slugs.append(slug)
    return slugs
