"""Which files of a model directory hold its weights, found before any is opened. No torch here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hwmodels.inputs import check_file
from hwmodels.plain import quoted
from neurt.loading.source import ModelError, read_config

#: The weights of a model directory, and what says in which files they are where these are several.
MODEL, INDEX = "model.safetensors", "model.safetensors.index.json"

_NAME = re.compile(r"[^/\\:\0]+\.safetensors")
_LFS = b"version https://git-lfs.github.com/spec/"


def weight_files(directory: Path) -> tuple[Path, ...]:
    """The safetensors files that hold the weights of a model: one, or the shards of its index.

    Raises:
        ModelError: If there are none, one is missing or only stands for the file (Git LFS), or the
            index names anything but safetensors files beside it.
    """
    if os.path.lexists(directory / MODEL):
        files = [directory / MODEL]
    elif os.path.lexists(directory / INDEX):
        files = [directory / name for name in shards(directory / INDEX)]
    else:
        raise ModelError(f"weights of '{directory}' cannot be had: {why_no_weights(directory)}")
    for file in files:
        _check(file, directory)
    return tuple(files)


def shards(index: Path) -> list[str]:
    """The files that an index names, in order.

    An index is a file of others: a path in it could lead anywhere, another format can hold code.

    Raises:
        ModelError: If it names anything but safetensors files beside it.
    """
    placed = read_config(index).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise ModelError(f"'{index}' must say in 'weight_map' which file holds which tensor")
    for tensor, name in placed.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ModelError(
                f"'{index}' has tensor {quoted(tensor, 60)} in {quoted(name, 60)}; only "
                "safetensors files beside it are read, each by its name"
            )
    return sorted(set(placed.values()))


def _check(file: Path, directory: Path) -> None:
    check_file(file, f"weights '{file}'", ModelError, None)
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(_LFS))
    except OSError as error:
        raise ModelError(f"weights '{file}' cannot be read: {error.strerror}") from error
    if begins == _LFS:
        raise ModelError(
            f"weights '{file}' are a Git LFS pointer, three lines that stand for the file; run "
            f"`git lfs pull` in '{directory}'"
        )


def why_no_weights(directory: Path) -> str:
    """Why a directory has no weights that are read; empty where it has."""
    if any(os.path.lexists(directory / name) for name in (MODEL, INDEX)):
        return ""
    names = sorted(path.name for path in directory.iterdir())
    for suffix, why in _OTHERS.items():
        if found := [name for name in names if name.endswith(suffix)]:
            return f"it has no {MODEL}, only {found[0]}, {why}"
    return f"it has no {MODEL}"


#: What weights may be instead, by the end of the name.
_OTHERS = {
    ".safetensors": f"which no {INDEX} names",
    ".gguf": "which is given as --model itself",
    **dict.fromkeys(
        (".bin", ".pt", ".pth", ".ckpt"),
        "a pickle, which can run code (only safetensors and GGUF are read)",
    ),
}
