"""Points of a grid on the disk, under names made of all that decides them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from energy.counts.file import read_csv, to_csv
from hwmodels.errors import UserError
from hwmodels.inputs import check_file
from neurt.grid.measuring import Measurement
from neurt.loading.source import ModelSource, cached_revision, is_cached
from neurt.requests.passes import ProfileRequest
from reports.kit.files import slugs, write_text

#: What decides a result beside the request and the model: random weights are those of torch.
_PACKAGES = ("neurt-energy", "torch", "transformers")
#: Hexadecimal digits of a digest in a file name.
_DIGITS = 16

#: Rows of one evaluated point, one per hardware, by column.
Rows = list[dict[str, Any]]


class PointError(UserError, ValueError):
    """A point that cannot be named, or whose file is not what was written."""


@dataclass(frozen=True)
class CountsStore:
    """Measured runs: files `MODEL-T.., KEY.CONTENT.csv` in the format of `counts.csv`.

    KEY is a digest of what decides the counts, so that a run that was interrupted goes on where it
    was. CONTENT is a digest of the file, so that one that was cut or edited is known by its name.
    """

    directory: Path  #: where they are

    def get(self, stem: str) -> Measurement | None:
        """Counts of a run, None if there are none yet; raises PointError for cut or edited ones."""
        paths = sorted(self.directory.glob(f"{stem}.*.csv"))
        if len(paths) > 1:
            raise PointError(
                f"'{paths[0]}' and '{paths[1]}' are results of the same run; delete one of them"
            )
        return self._read(paths[0]) if paths else None

    def _read(self, path: Path) -> Measurement:
        try:
            whole = path.suffixes[-2] == f".{_digest(path.read_bytes())}"
        except OSError as error:
            raise PointError(f"'{path}' cannot be read: {error.strerror or error}") from error
        variants = read_csv(path) if whole else []
        if [counts.variant for counts in variants] != ["asa", "ssa"]:
            raise PointError(
                f"'{path}' was cut or edited since it was measured; delete it and run the same "
                "command again"
            )
        return Measurement(variants[0], variants[1])

    def put(self, stem: str, measured: Measurement) -> Path:
        """Keep the counts of a run."""
        text = to_csv((measured.asa, measured.ssa))
        return write_text(self.directory / f"{stem}.{_digest(text.encode())}.csv", text)


@dataclass(frozen=True)
class RowsStore:
    """Evaluated points: files `KEY.json`, each a list of rows."""

    directory: Path  #: where they are
    columns: Collection[str]  #: what each row has

    def get(self, key: str) -> Rows | None:
        """Rows of a point, None if there are none yet; raises PointError for another file."""
        path = self.directory / f"{key}.json"
        if not path.exists():
            return None
        try:
            rows: Rows = json.loads(path.read_text(encoding="utf-8"))
            whole = bool(rows) and all({*row} == {*self.columns} for row in rows)
        except (OSError, ValueError, TypeError):
            whole = False
        if not whole:
            raise PointError(
                f"'{path}' is no result of a sweep; delete it and run the same command again"
            )
        return rows

    def put(self, key: str, rows: Rows) -> Path:
        """Keep the rows of a point."""
        return write_text(self.directory / f"{key}.json", json.dumps(rows, indent=1) + "\n")


def point_stem(point: ProfileRequest, source: ModelSource, decides: str) -> str:
    """The name of a run, without the digest of its content; `decides` is its `fingerprint`."""
    asked = point.model_dump_json(exclude={"out", "text", "hw", "dataflow", "latency_s"})
    spiking = point.spiking
    words = (source.name, f"T{spiking.timesteps}", spiking.form, spiking.code, point.attention)
    [slug] = slugs(["-".join(words)])
    return f"{slug}-{_digest((asked + decides).encode())}"


def fingerprint(source: ModelSource, *texts: Path | None) -> str:
    """A digest of what decides a result beside the request: model, texts, this program.

    Args:
        *texts: Texts of the user's own; None for a default, which belongs to the model.

    Raises:
        PointError: If a file cannot be read.
    """
    digest = hashlib.sha256(" ".join(map(version, _PACKAGES)).encode())
    files = [text for text in texts if text is not None]
    if source.directory is not None:
        kept = {".safetensors", ".json", ".txt"}
        files += sorted(path for path in source.directory.iterdir() if path.suffix in kept)
    elif source.file is not None:
        files.append(source.file)
    else:
        assert source.hub_id is not None
        digest.update(f"{is_cached(source.hub_id)} {cached_revision(source.hub_id)}".encode())
    for path in files:
        digest.update(f"{path.name} ".encode() + _digest_of(path))
    return digest.hexdigest()


def _digest_of(path: Path) -> bytes:
    check_file(path, f"'{path}'", PointError, None)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise PointError(f"'{path}' cannot be read: {error.strerror or error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
