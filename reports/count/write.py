"""The files of a count: its tables, a picture for each hardware, and `count.json`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from energy import Estimate
from energy.bill.layer import ACCOUNTINGS
from energy.counts.file import to_csv
from hwmodels import Op
from reports.count.parts import count_ranges
from reports.count.run import CountRun, part_pj
from reports.kit.caveats import NOT_MODELLED
from reports.kit.files import prepare_directory, write_json, write_text
from reports.kit.fit import Fit
from reports.kit.parts import BOUNDS
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.run.summary import counts_summary, sha256
from reports.sources.run import write_sources
from reports.views.tables import write_prices

#: Version of `count.json`.
FORMAT = 1


def write_count(
    run: CountRun, out: Path, *, pictures: Pictures = Pictures.ALL, fit: Fit = Fit.TWO
) -> list[Path]:
    """Write the tables, a picture for each hardware, the sources of prices, and `count.json`.

    `counts.csv` is what `neurt-energy price` takes.
    """
    prepare_directory(out)
    text = to_csv([run.counts])
    files = [write_text(out / "counts.csv", text)]
    files.append(write_prices(run.estimates.values(), out / "energy.csv"))
    if pictures is not Pictures.NONE:
        from reports.count.picture import count_components

        for bill, slug in zip(run.estimates.values(), slugs(run.estimates), strict=True):
            figure = partial(count_components, bill, run.title, run.subtitle, fit)
            files += draw(figure, out / f"components_{slug}", pictures)
    files.append(write_sources(run.profiles, out))
    about = {"sha256": {"counts.csv": sha256(text.encode())}, **summary(run)}
    files.append(write_json(out / "count.json", about))
    return files


def summary(run: CountRun) -> dict[str, object]:
    """The content of `count.json`: totals, provenance, and what is missing or unnamed."""
    counts = run.counts
    return {
        "format": FORMAT,
        "command": run.command,
        "created": run.created,
        "model": counts.model,
        "weights": counts.weights,
        "settings": dict(run.settings),
        "said": list(run.said),
        "versions": dict(run.versions),
        "counts": counts_summary(counts),
        "unnamed": [group._asdict() for group in run.unnamed],
        "hardware": {name: _bill_summary(bill) for name, bill in run.estimates.items()},
        "not_modelled": NOT_MODELLED,
        "operations": {op.value: op.definition for op in Op if counts.total(op)},
    }


def _bill_summary(bill: Estimate) -> dict[str, object]:
    energies = {f"{name}_pj": part_pj(bill, name) for name in ACCOUNTINGS}
    tokens = bill.counts.tokens
    return {
        "profile": bill.profile.model_dump(mode="json", exclude_none=True),
        **energies,
        "ranges_pj": {
            bound: {"low": one.low_pj, "high": one.high_pj, "weakest": str(one.weakest)}
            for bound, one in count_ranges(bill).items()
        },
        "static_pj": bill.static_pj,
        "pj_per_token": {
            bound: None if (pj := energies[f"{bound}_pj"]) is None else pj / tokens
            for bound in BOUNDS
        },
        "coverage": bill.coverage,
        "unpriced": {op.value: n for op, n in bill.unpriced.items()},
    }
