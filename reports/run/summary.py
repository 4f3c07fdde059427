"""What `run.json` holds of a run."""

from __future__ import annotations

import hashlib
from math import isfinite

from energy import Counts, Estimate, Saving, saving
from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.compare.touched import touched
from energy.counts.file import to_csv
from hwmodels import Op
from hwmodels.pair import recorded
from reports.kit.caveats import NOT_MODELLED, PUBLISHED_SAVING, PUBLISHED_SOURCE
from reports.kit.closeness import Closeness
from reports.run.run import Run
from reports.run.steps import steps_csv

#: Version of `run.json` and `counts.csv` together.
FORMAT = 3
#: The version that counted traffic in bytes, and was billed by another model of memory.
IN_BYTES = 2


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
                **recorded(machine_of(asa, ssa)),
                **savings_summary(asa, ssa),
                "coverage": {"asa": asa.coverage, "ssa": ssa.coverage},
                "unpriced": {
                    side.counts.variant: {op.value: n for op, n in side.unpriced.items()}
                    for side in (asa, ssa)
                },
            }
            for name, (asa, ssa) in run.estimates.items()
        },
        "quality": None if run.quality is None else _quality_summary(run.quality),
        "weights_touched": {
            side.variant: known.summary()
            for side in (run.phases[-1].asa, run.phases[-1].ssa)
            if (known := touched(side)) is not None
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


def _quality_summary(quality: Closeness) -> dict[str, object]:
    """What both models predict, and the sums over each window that it follows from."""
    change = quality.perplexity_change
    return {
        "tokens": quality.tokens,
        "perplexity_change": change if isfinite(change) else None,
        "kl_nats": quality.kl_nats,
        "windows": [window._asdict() for window in quality.windows],
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
