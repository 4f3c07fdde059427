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
from hwmodels.inputs import check_file, read_bytes
from neurt.grid.measuring import Measurement
from neurt.loading.source import ModelSource, cached_revision, is_cached
from neurt.requests.evaluate import EvaluateRequest, Reading
from neurt.requests.passes import ProfileRequest
from neurt.text.windows import MAX_TEXT_BYTES
from reports.kit.files import json_text, write_text
from reports.kit.slugs import slugs

#: What decides a result beside the request and the model: random weights are those of torch.
_PACKAGES = ("neurt-energy", "torch", "transformers")
#: Counts of a run are some hundred kilobytes.
_MOST_BYTES = 2**30
#: Fields whose meaning `neurt.grid.places` adds to a name.
_PLACED = {"device", "dtype", "device_map"}
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
        path = _kept(self.directory, stem, ".csv")
        if path is None:
            return None
        variants = read_csv(path)
        if [counts.variant for counts in variants] != ["asa", "ssa"]:
            raise _edited(path)
        return Measurement(variants[0], variants[1])

    def put(self, stem: str, measured: Measurement) -> Path:
        """Keep the counts of a run."""
        return _keep(self.directory, stem, ".csv", to_csv((measured.asa, measured.ssa)))


@dataclass(frozen=True)
class RowsStore:
    """Evaluated points: files `KEY.CONTENT.json`, named as above, each a list of rows."""

    directory: Path  #: where they are
    columns: Collection[str]  #: what each row has

    def get(self, key: str) -> Rows | None:
        """Rows of a point, None if there are none yet; raises PointError for cut or edited ones."""
        path = _kept(self.directory, key, ".json")
        if path is None:
            return None
        rows: Rows = json.loads(path.read_bytes())
        if not rows or any({*row} != {*self.columns} for row in rows):
            raise _edited(path)
        return rows

    def put(self, key: str, rows: Rows) -> Path:
        """Keep the rows of a point."""
        return _keep(self.directory, key, ".json", json_text(rows, f"point '{key}'", 1))


@dataclass(frozen=True)
class PlainStore:
    """What JSON can hold: files `KEY.CONTENT.json`, named as above, each an object."""

    directory: Path  #: where they are

    def get(self, key: str) -> dict[str, Any] | None:
        """What is kept, None if there is nothing yet; raises PointError for what was cut."""
        path = _kept(self.directory, key, ".json")
        if path is None:
            return None
        content: dict[str, Any] = json.loads(path.read_bytes())
        return content

    def put(self, key: str, content: dict[str, Any]) -> Path:
        """Keep it."""
        return _keep(self.directory, key, ".json", json_text(content, f"point '{key}'", None))


def _keep(directory: Path, stem: str, suffix: str, text: str) -> Path:
    return write_text(directory / f"{stem}.{_digest(text.encode())}{suffix}", text)


def _kept(directory: Path, stem: str, suffix: str) -> Path | None:
    """The file that `_keep` wrote, if it still is what was written."""
    paths = sorted(directory.glob(f"{stem}.*{suffix}"))
    if len(paths) > 1:
        raise PointError(
            f"'{paths[0]}' and '{paths[1]}' are results of the same run; delete one of them"
        )
    for path in paths:
        content = read_bytes(path, f"point '{path}'", PointError, _MOST_BYTES)
        if path.name != f"{stem}.{_digest(content)}{suffix}":
            raise _edited(path)
        return path
    return None


def _edited(path: Path) -> PointError:
    return PointError(
        f"'{path}' was cut or edited since it was measured; delete it and run the same command "
        "again"
    )


def point_stem(point: ProfileRequest, source: ModelSource, decides: str) -> str:
    """The name of a run, without the digest of its content; `decides` is its `fingerprint`."""
    aside = {"out", "text", "hw", "set", "dataflow", "latency_s"} | _PLACED
    asked = point.model_dump_json(exclude=aside)
    spiking = point.spiking
    words = (source.name, f"T{spiking.timesteps}", spiking.form, spiking.code, point.attention)
    [slug] = slugs(["-".join(words)])
    return f"{slug}-{_digest((asked + decides).encode())}"


def program() -> dict[str, str]:
    """The versions that decide results beside the request and the model, by package."""
    return {name: version(name) for name in _PACKAGES}


def fingerprint(source: ModelSource, *texts: Path | None) -> str:
    """A digest of what decides a result beside the request: model, texts, this program.

    Args:
        *texts: Texts of the user's own; None for a default, which belongs to the model.

    Raises:
        PointError: If a file cannot be read, or is too large for a text.
    """
    digest = hashlib.sha256(" ".join(program().values()).encode())
    files = [text for text in texts if text is not None]
    for text in files:
        check_file(text, f"text '{text}'", PointError, MAX_TEXT_BYTES)
    kept = {".safetensors", ".json", ".txt"}
    for directory in filter(None, (source.adapter, source.directory)):
        files += sorted(path for path in directory.iterdir() if path.suffix in kept)
    if source.file is not None:
        files.append(source.file)
    elif source.directory is None:
        assert source.hub_id is not None
        digest.update(f"{is_cached(source.hub_id)} {cached_revision(source.hub_id)}".encode())
    for path in files:
        digest.update(f"{path.name} ".encode() + _digest_of(path))
    return digest.hexdigest()


def evaluation_decides(request: Reading, source: ModelSource) -> str:
    """What decides evaluations beside the request: model, texts, prices, this program."""
    digest = hashlib.sha256(fingerprint(source, request.text, request.calibration).encode())
    for profile in request.profiles():
        digest.update(profile.model_dump_json().encode())
    return digest.hexdigest()


def evaluation_key(point: EvaluateRequest, decides: str) -> str:
    """The name of an evaluation, or of its parts; `decides` is its `evaluation_decides`."""
    asked = point.model_dump_json(exclude={"out", "text", "calibration"} | _PLACED)
    return hashlib.sha256((asked + decides).encode()).hexdigest()[:24]


def _digest_of(path: Path) -> bytes:
    check_file(path, f"'{path}'", PointError, None)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise PointError(f"'{path}' cannot be read: {error.strerror or error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
