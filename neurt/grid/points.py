"""Measured runs on the disk: kept as counts, under a name made of all that decides them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from energy import Counts
from energy.counts.file import read_csv, to_csv
from hwmodels.errors import UserError
from neurt.loading.source import ModelSource, cached_revision, is_cached
from neurt.requests.passes import ProfileRequest
from reports.kit.files import slugs, write_text

#: What decides a count beside the request and the model: random weights are those of torch.
_PACKAGES = ("neurt-energy", "torch", "transformers")
#: Hexadecimal digits of a digest in a file name.
_DIGITS = 16


class PointError(UserError, ValueError):
    """A measured run that cannot be named, or whose file is not what was written."""


@dataclass(frozen=True)
class Points:
    """Files `MODEL-T.., KEY.CONTENT.csv` of a directory, in the format of `counts.csv`.

    KEY is a digest of what decides the counts, so that a run that was interrupted goes on where it
    was. CONTENT is a digest of the file, so that one that was cut or edited is known by its name.

    Attributes:
        directory: Where they are.
    """

    directory: Path

    def find(self, stem: str) -> Path | None:
        """The file of a run; None if it was not measured yet.

        Raises:
            PointError: If there are several.
        """
        found = sorted(self.directory.glob(f"{stem}.*.csv"))
        if len(found) > 1:
            raise PointError(
                f"'{found[0]}' and '{found[1]}' are results of the same run; delete one of them"
            )
        return found[0] if found else None

    def read(self, path: Path) -> tuple[Counts, Counts]:
        """Counts of the analog and of the spiking model.

        Raises:
            PointError: If the file cannot be read, or is not what was written.
        """
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
        return variants[0], variants[1]

    def write(self, stem: str, asa: Counts, ssa: Counts) -> Path:
        """Keep the counts of a run.

        Raises:
            OutputError: If they cannot be written.
        """
        text = to_csv((asa, ssa))
        return write_text(self.directory / f"{stem}.{_digest(text.encode())}.csv", text)


def point_stem(point: ProfileRequest, source: ModelSource, decides: str) -> str:
    """The name of a run, without the digest of its content.

    Args:
        point: What to measure.
        source: Its model.
        decides: See `fingerprint`.
    """
    asked = point.model_dump_json(exclude={"out", "text", "hw", "dataflow", "latency_s"})
    how = point.spiking
    words = (source.name, f"T{how.timesteps}", how.form, how.code, point.attention)
    [slug] = slugs(["-".join(words)])
    return f"{slug}-{_digest((asked + decides).encode())}"


def fingerprint(source: ModelSource, *texts: Path | None) -> str:
    """A digest of what decides counts beside the request: model, texts, this program.

    Args:
        source: The model.
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
        try:
            with path.open("rb") as file:
                digest.update(
                    f"{path.name} ".encode() + hashlib.file_digest(file, "sha256").digest()
                )
        except OSError as error:
            raise PointError(f"'{path}' cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
