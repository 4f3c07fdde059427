"""One analog model alone: what was counted, what it costs, and what nobody could name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from energy import Counts, Estimate, estimate
from energy.bill.estimate import ACCOUNTINGS, COMPUTE
from energy.counts.file import to_csv
from hwmodels import HardwareProfile, Op
from reports.kit.caveats import NOT_MODELLED
from reports.kit.files import prepare_directory, slugs, write_text
from reports.kit.pictures import Pictures, draw
from reports.run.summary import counts_summary, sha256
from reports.views.tables import write_prices

#: Version of `count.json`.
FORMAT = 1


class Unnamed(NamedTuple):
    """Layers that are alike but for their numbers, of which nobody could say what they are.

    Attributes:
        pattern: Their dotted name, each number as `*`.
        layers: How many.
        macs: Their multiply-accumulates.
    """

    pattern: str
    layers: int
    macs: float


@dataclass(frozen=True)
class CountRun:
    """One model and the hardware it is priced on.

    Attributes:
        counts: What was counted.
        profiles: Hardware, in the order asked for.
        settings: Everything that was chosen, for `count.json`.
        versions: Software, for `count.json`.
        created: When, in ISO format.
    """

    counts: Counts
    profiles: tuple[HardwareProfile, ...]
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    created: str

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """The bill on each hardware, by the name of the profile."""
        return {profile.name: estimate(self.counts, profile) for profile in self.profiles}

    @property
    def title(self) -> str:
        """The model, in one line for tables and pictures."""
        return f"{self.counts.model}, weights {self.counts.weights}"

    @property
    def subtitle(self) -> str:
        """What was run on it, in one line for tables and pictures."""
        counts = self.counts
        how = f"{counts.tokens:,} tokens, batch {counts.batch}, {counts.attention} attention"
        return f"{counts.phase}, {how}"

    @cached_property
    def unnamed(self) -> tuple[Unnamed, ...]:
        """The layers of the block `other`, in the order of the model."""
        found: dict[str, list[float]] = {}
        for layer in self.counts.only(block="other").layers:
            pattern = re.sub(r"(?<![^.])\d+(?![^.])", "*", layer.name)
            found.setdefault(pattern, []).append(layer.tally.ops.get(Op.MAC, 0))
        return tuple(Unnamed(name, len(macs), sum(macs)) for name, macs in found.items())


def part_pj(
    bill: Estimate, accounting: str, block: str | None = None, component: str | None = None
) -> float | None:
    """Energy of a part of the model in picojoules.

    Args:
        bill: Of the model.
        accounting: `compute` or `full`.
        block: Only this block; None for all.
        component: Only this component; None for all.

    Returns:
        None where a MAC of it has no price, or nothing but what is free has one.
    """
    part = bill.counts.only(block=block, component=component)
    counted = {op for op in Op if part.total(op) and (accounting == "full" or op in COMPUTE)}
    unpriced = {op for op in counted if not bill.profile.is_priced(op)}
    energy = bill.energy_pj(accounting, block=block, component=component)
    return None if unpriced & COMPUTE or (unpriced and not energy) else energy


def write_count(run: CountRun, out: Path, *, pictures: Pictures = Pictures.ALL) -> list[Path]:
    """Write the tables, a picture for each hardware, and `count.json`.

    `counts.csv` is what `neurt-energy price` takes.

    Args:
        run: What to report.
        out: A directory, made if need be; files of the same names are replaced.
        pictures: The formats of the pictures.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    prepare_directory(out)
    text = to_csv([run.counts])
    files = [write_text(out / "counts.csv", text)]
    files.append(write_prices(run.estimates.values(), out / "energy.csv"))
    if pictures is not Pictures.NONE:
        from reports.count.picture import count_components

        for bill, slug in zip(run.estimates.values(), slugs(run.estimates), strict=True):
            figure = partial(count_components, bill, run.title, run.subtitle)
            files += draw(figure, out / f"components_{slug}", pictures)
    about = {"sha256": {"counts.csv": sha256(text.encode())}, **summary(run)}
    files.append(write_text(out / "count.json", json.dumps(about, indent=2) + "\n"))
    return files


def summary(run: CountRun) -> dict[str, object]:
    """The content of `count.json`: totals, provenance, and what is missing or unnamed."""
    counts = run.counts
    return {
        "format": FORMAT,
        "command": "count",
        "created": run.created,
        "model": counts.model,
        "weights": counts.weights,
        "settings": dict(run.settings),
        "versions": dict(run.versions),
        "counts": counts_summary(counts),
        "unnamed": [group._asdict() for group in run.unnamed],
        "hardware": {name: _bill_summary(bill) for name, bill in run.estimates.items()},
        "not_modelled": NOT_MODELLED,
        "operations": {op.value: op.definition for op in Op if counts.total(op)},
    }


def _bill_summary(bill: Estimate) -> dict[str, object]:
    energies = {f"{how}_pj": part_pj(bill, how) for how in ACCOUNTINGS}
    full, tokens = energies["full_pj"], bill.counts.tokens
    return {
        "profile": bill.profile.model_dump(mode="json", exclude_none=True),
        **energies,
        "static_pj": bill.static_pj,
        "pj_per_token": None if full is None else full / tokens,
        "coverage": bill.coverage,
        "unpriced": {op.value: n for op, n in bill.unpriced.items()},
    }
