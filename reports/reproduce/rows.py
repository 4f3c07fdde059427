"""The published savings table, measured: its rows, and the files that hold them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy import Estimate, Saving, estimate, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.breakeven import Part, break_even
from energy.compare.part_breakeven import part_break_even, silenced
from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.run.run import Run

if TYPE_CHECKING:
    from energy.compare.baselines import Baseline

#: Columns of `reproduce.csv`, in order; frozen by a test.
REPRODUCE_COLUMNS = (
    "model",
    "weights",
    "timesteps",
    "hw",
    "precision",
    "form",
    "code",
    "streams",
    "attention",
    "projections",
    "accounting",
    "asa_pj",
    "ssa_pj",
    "saving",
    "published_low",
    "published_high",
    "stands",
    "events_per_mac",
    "events_per_mac_at_low",
    "events_per_mac_at_high",
    "spike_rate",
    "spike_rate_at_low",
    "spike_rate_at_high",
    "twin_bits",
    "saving_vs_twin",
    "saving_vs_int8",
    "model_saving",
    "unpriced",
    "dataflow",
    "phase",
    "batch",
    "tokens",
    "includes",
)

#: One line of the table, by column.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """One measured run, and what the table says of how it was counted.

    Attributes:
        run: Counts of both models, and the hardware to price them on.
        form: Form of the spike-based attention.
        code: Code of the inputs of linear layers.
        streams: Operands of the products of attention whose events are counted.
        scopes: What `attention block` may mean; the names say whether it is with projections.
    """

    run: Run
    form: str
    code: str
    streams: str
    scopes: tuple[Part, ...]


@dataclass(frozen=True)
class Reproduction:
    """All measured runs, in the order asked for.

    Attributes:
        measured: At least one.
    """

    measured: tuple[Measured, ...]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """One per run, hardware, scope and accounting, with the columns of `REPRODUCE_COLUMNS`."""
        return tuple(row for one in self.measured for row in _rows(one))

    @property
    def facts(self) -> str:
        """What holds for all rows, in words."""
        asa = self.measured[0].run.asa
        return f"{asa.phase}, {asa.tokens:,} tokens, batch {asa.batch}"


def stands(share: float | None) -> str:
    """Whether a saving is below, inside or above the published range; nothing without one."""
    if share is None:
        return ""
    low, high = PUBLISHED_SAVING
    return "below" if share < low else "inside" if share <= high else "above"


def _rows(one: Measured) -> list[dict[str, Any]]:
    from reports.views.baselines import compare as against

    run = one.run
    silent = silenced(run.ssa)
    found = []
    for profile in run.profiles:
        baselines = {x.name: x for x in against(replace(run, profiles=(profile,)))[profile.name]}
        asa, ssa = run.estimates[profile.name]
        quiet = estimate(silent, profile)
        for part in one.scopes:
            for accounting in ACCOUNTINGS:
                saved = _saved(asa, ssa, accounting, part)
                row = {
                    "model": run.asa.model,
                    "weights": run.asa.weights,
                    "timesteps": run.ssa.timesteps,
                    "hw": profile.name,
                    "precision": profile.precision,
                    "form": one.form,
                    "code": one.code,
                    "streams": one.streams,
                    "attention": run.asa.attention,
                    "projections": part.name,
                    "accounting": accounting,
                    "asa_pj": saved.asa_pj,
                    "ssa_pj": saved.ssa_pj,
                    "saving": saved.saving,
                    "published_low": PUBLISHED_SAVING[0],
                    "published_high": PUBLISHED_SAVING[1],
                    "stands": stands(saved.saving),
                    "twin_bits": baselines["twin"].activation_bits,
                    "saving_vs_twin": _against(baselines["twin"], accounting, part),
                    "saving_vs_int8": _against(
                        baselines.get("int8-vs-own", baselines["int8"]), accounting, part
                    ),
                    "model_saving": saving(asa, ssa, accounting).saving,
                    "unpriced": " ".join(op.value for op in saved.unpriced),
                    "dataflow": ssa.dataflow.value,
                    "phase": run.asa.phase,
                    "batch": run.asa.batch,
                    "tokens": run.asa.tokens,
                    "includes": part.includes,
                }
                found.append(row | _implied(part, accounting, asa, quiet, ssa))
    return found


def _implied(
    part: Part, accounting: str, asa: Estimate, silent: Estimate, busy: Estimate
) -> dict[str, float | None]:
    """Events of a run, and those at which this profile would give the ends of the range.

    The bill is linear in the events: silent + x (busy - silent) = (1 - saving) asa has the
    multiple x of the measured ones, however they are spread over the layers. No x where even a
    silent model costs more, or something that matters has no price.
    """
    names = {"events_per_mac": "busy_events_per_mac", "spike_rate": "busy_rate"}
    line = part_break_even(part, accounting, asa, silent, busy)
    found: dict[str, float | None] = {
        name: getattr(line, attribute, None) for name, attribute in names.items()
    }
    for end, share in zip(("low", "high"), PUBLISHED_SAVING, strict=True):
        x = None
        if line is not None and not line.bound:
            x = break_even((1 - share) * line.asa_pj, line.silent_pj, line.busy_pj)
        for name, attribute in names.items():
            at_end = None if x is None else x * getattr(line, attribute)
            found[f"{name}_at_{end}"] = at_end
    return found


def _against(baseline: Baseline, accounting: str, part: Part) -> float | None:
    if baseline.asa is None or baseline.ssa is None:
        return None
    return _saved(baseline.asa, baseline.ssa, accounting, part).saving


def _saved(asa: Estimate, ssa: Estimate, accounting: str, part: Part) -> Saving:
    return saving(_only(asa, part.analog), _only(ssa, part.spiking), accounting)


def _only(bill: Estimate, names: frozenset[str] | None) -> Estimate:
    """The bill of some rows of a model that runs as a whole; static energy belongs to none."""
    layers = tuple(row for row in bill.layers if names is None or row.count.name in names)
    counts = replace(bill.counts, layers=tuple(row.count for row in layers))
    return replace(bill, counts=counts, layers=layers, latency_s=None)


def reproduce_csv(found: Reproduction) -> str:
    """The rows as CSV; an empty cell where there is no such number."""
    text = io.StringIO()
    table = csv.DictWriter(text, REPRODUCE_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(found.rows)
    return text.getvalue()


def write_reproduction(
    found: Reproduction, directory: Path, *, pictures: Pictures = Pictures.ALL
) -> list[Path]:
    """Write `reproduce.csv`, `.md`, `.tex`, `.png` and `.svg`.

    Raises:
        OutputError: If they cannot be written.
    """
    from reports.reproduce.table import reproduce_latex, reproduce_markdown

    prepare_directory(directory)
    files = [
        write_text(directory / "reproduce.csv", reproduce_csv(found)),
        write_text(directory / "reproduce.md", reproduce_markdown(found)),
        write_text(directory / "reproduce.tex", reproduce_latex(found)),
    ]
    if pictures is not Pictures.NONE:
        from reports.reproduce.picture import reproduce_picture

        files += draw(partial(reproduce_picture, found), directory / "reproduce", pictures)
    return files
