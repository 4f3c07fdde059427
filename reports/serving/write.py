"""The files of a fit and of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from energy.serving.fit import Fit
from reports.kit.files import json_text, prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.serving.batches import by_hardware
from reports.serving.served import Server, figures_table, parts_table, record


def write_fit(
    fit: Fit, text: str, path: Path, title: str, source: str, pictures: Pictures
) -> list[Path]:
    """Write a profile, and the picture of its residuals beside it."""
    prepare_directory(path.parent)
    files = [write_text(path, text)]
    if pictures is not Pictures.NONE:
        from reports.serving.picture import fit_picture  # matplotlib takes half a second

        figure = partial(fit_picture, fit, title, source)
        files += draw(figure, path.with_suffix(""), pictures)
    return files


def write_servers(
    servers: Sequence[Server], directory: Path, pictures: Pictures = Pictures.NONE
) -> list[Path]:
    """Write `serving.csv`, `serving_parts.csv` and, last, `serving.json`.

    Of several batches there is a picture of each hardware, too.
    """
    prepare_directory(directory)
    drawn: list[Path] = []
    for own in by_hardware(servers):
        if len(own) > 1 and pictures is not Pictures.NONE:
            from reports.serving.batch_picture import batch_picture  # matplotlib: half a second

            [slug] = slugs([own[0].profile.name])
            drawn += draw(partial(batch_picture, own), directory / f"serving_{slug}", pictures)
    whole = {"servers": [record(server) for server in servers]}
    return [
        write_text(directory / "serving.csv", figures_table(servers).to_csv()),
        write_text(directory / "serving_parts.csv", parts_table(servers).to_csv()),
        *drawn,
        write_text(directory / "serving.json", json_text(whole, "serving.json")),
    ]
