"""What the headers of safetensors files say of their tensors, of which none is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

from hwmodels.plain import shortened
from neurt.loading.reading import UNFIT
from neurt.loading.source import ModelError


class Header(NamedTuple):
    """A tensor of a file."""

    file: Path  #: where it is
    shape: tuple[int, ...]
    dtype: str  #: as safetensors calls it


def headers(files: Iterable[Path], directory: Path) -> dict[str, Header]:
    """The tensors of files by name; raises ModelError if a file is none, or one is there twice."""
    found: dict[str, Header] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for key in opened.keys():  # noqa: SIM118 - it is no mapping
                    part = opened.get_slice(key)
                    if key in found:
                        raise ModelError(
                            f"weights of '{directory}' cannot be loaded: '{key}' is in "
                            f"'{file.name}' and in another file"
                        )
                    found[key] = Header(file, tuple(part.get_shape()), str(part.get_dtype()))
        except UNFIT as error:
            if isinstance(error, ModelError):
                raise
            raise unreadable(file, directory, error) from error
    return found


def unreadable(file: Path, directory: Path, error: Exception) -> ModelError:
    """The error about a file of weights that safetensors cannot read."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"weights of '{directory}' cannot be loaded: '{file.name}' is cut short or no safetensors "
        f"file ({shortened(said)}); download it again"
    )
