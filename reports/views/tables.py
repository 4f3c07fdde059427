"""The tables of a run, as data frames with frozen columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from energy import Estimate, LayerEnergy, Saving, saving
from energy.bill.estimate import ACCOUNTINGS, GROUPS
from hwmodels import Op
from reports.kit.files import write_text
from reports.kit.parts import present
from reports.run.run import Run

if TYPE_CHECKING:
    import pandas as pd

LAYER_COLUMNS = (
    "hw",
    "variant",
    "layer",
    "kind",
    "block",
    "component",
    "depth",
    "calls",
    "dense_macs",
    "mac",
    "ac",
    "shift_ac",
    "neuron_update",
    "spikes",
    "slots",
    "spike_rate",
    *(f"{group}_pj" for group in GROUPS),
    "energy_pj",
    "unpriced",
    "model",
    "weights",
)

SAVING_COLUMNS = (
    "hw",
    "block",
    "component",
    "accounting",
    "asa_pj",
    "ssa_pj",
    "saving",
    "asa_mac",
    "ssa_mac",
    "ssa_ac",
    "ssa_shift_ac",
    "events_per_mac",
    "unpriced",
    "timesteps",
    "phase",
    "tokens",
    "attention",
    "model",
    "weights",
)


def names(ops: Iterable[Op]) -> str:
    """Operations as one cell."""
    return " ".join(op.value for op in ops)


def layers_frame(run: Run) -> pd.DataFrame:
    """One row per hardware, variant and layer: counts, spike rate and energy by heading."""
    import pandas as pd

    rows = [row for pair in run.estimates.values() for side in pair for row in _layer_rows(side)]
    return pd.DataFrame(rows, columns=list(LAYER_COLUMNS))


def _layer_rows(bill: Estimate) -> list[dict[str, object]]:
    counts = bill.counts
    rows: list[dict[str, object]] = []
    for layer in bill.layers:
        count = layer.count
        ops = count.tally.ops
        unpriced = [op for op in bill.unpriced if ops.get(op)]
        rows.append(
            {
                "hw": bill.profile.name,
                "variant": counts.variant,
                "layer": count.name,
                "kind": count.kind,
                "block": count.label.block,
                "component": count.label.component,
                "depth": "" if count.label.depth is None else count.label.depth,
                "calls": count.calls,
                "dense_macs": count.tally.dense_macs,
                "mac": ops.get(Op.MAC, 0),
                "ac": ops.get(Op.AC, 0),
                "shift_ac": ops.get(Op.SHIFT_AC, 0),
                "neuron_update": ops.get(Op.NEURON_UPDATE, 0),
                "spikes": count.tally.spikes,
                "slots": count.tally.slots,
                "spike_rate": count.spike_rate,
                **_bill_cells(layer, layer.total_pj, unpriced),
                "unpriced": names(unpriced),
                "model": counts.model,
                "weights": counts.weights,
            }
        )
    return rows


def _bill_cells(
    bill: Estimate | LayerEnergy, energy_pj: float, unpriced: Iterable[Op]
) -> dict[str, float | None]:
    """Energy by heading; empty where something has no price and nothing else has, never a zero."""
    gaps = {op.group for op in unpriced}
    cells: dict[str, float | None] = {
        f"{group}_pj": bill.group_pj(group) or (None if group in gaps else 0.0) for group in GROUPS
    }
    cells["energy_pj"] = energy_pj
    if bill.lacks_compute:
        cells["compute_pj"] = cells["energy_pj"] = None
    return cells


def savings(asa: Estimate, ssa: Estimate) -> list[Saving]:
    """Both accountings of each block and component, block totals and the grand total."""
    parts: list[tuple[str | None, str | None]] = []
    for block, components in present(asa.counts, ssa.counts).items():
        parts += [(block, component) for component in components]
        parts.append((block, None))
    parts.append((None, None))
    return [
        saving(asa, ssa, accounting, block=block, component=component)
        for accounting in ACCOUNTINGS
        for block, component in parts
    ]


def savings_frame(run: Run) -> pd.DataFrame:
    """One row per hardware, accounting, block and component."""
    import pandas as pd

    rows = []
    for hw, (asa, ssa) in run.estimates.items():
        for part in savings(asa, ssa):
            scope = {
                "block": None if part.block == "total" else part.block,
                "component": None if part.component == "total" else part.component,
            }
            analog, spiking = asa.counts.only(**scope), ssa.counts.only(**scope)
            rows.append(
                {
                    "hw": hw,
                    "block": part.block,
                    "component": part.component,
                    "accounting": part.accounting,
                    "asa_pj": part.asa_pj,
                    "ssa_pj": part.ssa_pj,
                    "saving": part.saving,
                    "asa_mac": analog.total(Op.MAC),
                    "ssa_mac": spiking.total(Op.MAC),
                    "ssa_ac": spiking.total(Op.AC),
                    "ssa_shift_ac": spiking.total(Op.SHIFT_AC),
                    "events_per_mac": spiking.events_per_mac,
                    "unpriced": names(part.unpriced),
                    "timesteps": spiking.timesteps,
                    "phase": spiking.phase,
                    "tokens": spiking.tokens,
                    "attention": spiking.attention,
                    "model": spiking.model,
                    "weights": spiking.weights,
                }
            )
    return pd.DataFrame(rows, columns=list(SAVING_COLUMNS))


ENERGY_COLUMNS = (
    "hw",
    "variant",
    "layer",
    "block",
    "component",
    *(f"{group}_pj" for group in GROUPS),
    "static_pj",
    "energy_pj",
    "unpriced",
    "model",
    "weights",
)


def energy_rows(bill: Estimate) -> list[dict[str, object]]:
    """The rows of `energy.csv`: one per layer, and a `TOTAL`."""
    # Static energy belongs to no layer.
    rows = [{column: row.get(column) for column in ENERGY_COLUMNS} for row in _layer_rows(bill)]
    total: dict[str, object] = {
        "hw": bill.profile.name,
        "variant": bill.counts.variant,
        "layer": "TOTAL",
        "block": "",
        "component": "",
        **_bill_cells(bill, bill.energy_pj(), bill.unpriced),
        "static_pj": bill.static_pj,
        "unpriced": names(bill.unpriced),
        "model": bill.counts.model,
        "weights": bill.counts.weights,
    }
    return [*rows, {column: total[column] for column in ENERGY_COLUMNS}]


def write_prices(bills: Iterable[Estimate], path: Path) -> Path:
    """Write `energy.csv`: energy per row and a `TOTAL` row, per hardware and variant.

    Raises:
        OutputError: If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ENERGY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for bill in bills:
        writer.writerows(energy_rows(bill))
    return write_text(path, text.getvalue())
