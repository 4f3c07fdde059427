"""The files of a roofline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from energy.table import Column, Table
from reports.kit.files import write_text
from reports.kit.fit import Fit
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.roofline.roofline import PARTS, Roofline, TokenCost

Line = tuple[Roofline, TokenCost, str]


def _part(part: str) -> Column[Line]:
    return Column(f"{part}_pj_per_token", lambda line: getattr(line[1], part))


#: `roofline.csv`; energy without a price is an empty cell.
ROOFLINE_COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", lambda line: line[0].profile.name),
    Column("dataflow", lambda line: line[0].dataflow),
    Column("fusion", lambda line: line[2]),
    Column("variant", lambda line: line[1].variant),
    Column("batch", lambda line: line[1].batch),
    Column("context", lambda line: line[1].context),
    *map(_part, PARTS),
    Column("unpriced", lambda line: " ".join(line[1].unpriced)),
    Column("timesteps", lambda line: line[0].timesteps),
    Column("spike_rates", lambda line: line[0].rates),
    Column("model", lambda line: line[0].model),
    Column("weights", lambda line: line[0].weights),
)


def roofline_table(rooflines: Iterable[Roofline]) -> Table[Line]:
    """A row for each bound, variant, batch and context."""
    return Table(
        ROOFLINE_COLUMNS,
        [
            (whole, cost, bound)
            for whole in rooflines
            for bound, costs in whole.at_bounds.items()
            for cost in costs
        ],
    )


Batched = tuple[Roofline, str, TokenCost]

#: `batch.csv`.
BATCH_COLUMNS: tuple[Column[Batched], ...] = (
    Column("hw", lambda line: line[0].profile.name),
    Column("fusion", lambda line: str(line[0].profile.fusion)),
    Column("dataflow", lambda line: line[1]),
    Column("variant", lambda line: line[2].variant),
    Column("batch", lambda line: line[2].batch),
    Column("context", lambda line: line[2].context),
    Column("weights_pj_per_token", lambda line: line[2].weights),
    Column("kv_cache_pj_per_token", lambda line: line[2].kv_cache),
    Column("energy_pj_per_token", lambda line: line[2].energy),
    Column("model", lambda line: line[0].model),
    Column("weights", lambda line: line[0].weights),
)


def batch_table(rooflines: Iterable[Roofline]) -> Table[Batched]:
    """A row for each model, dataflow and batch."""
    rows = [(whole, *line) for whole in rooflines for line in whole.over_batch]
    return Table(BATCH_COLUMNS, rows)


def write_rooflines(
    rooflines: Sequence[Roofline],
    out: Path,
    *,
    pictures: Pictures = Pictures.ALL,
    fit: Fit = Fit.TWO,
) -> list[Path]:
    """Write `roofline.csv` and a picture of each hardware; nothing where there are none."""
    if not rooflines:
        return []
    files = [write_text(out / "roofline.csv", roofline_table(rooflines).to_csv())]
    if any(roofline.over_batch for roofline in rooflines):
        files.append(write_text(out / "batch.csv", batch_table(rooflines).to_csv()))
    if pictures is not Pictures.NONE:
        from reports.roofline.batch_picture import batch_picture
        from reports.roofline.picture import roofline_picture  # matplotlib takes half a second

        names = slugs(roofline.profile.name for roofline in rooflines)
        for roofline, slug in zip(rooflines, names, strict=True):
            drawn = partial(roofline_picture, roofline, fit)
            files += draw(drawn, out / f"roofline_{slug}", pictures)
            if roofline.over_batch:
                files += draw(partial(batch_picture, roofline), out / f"batch_{slug}", pictures)
    return files
