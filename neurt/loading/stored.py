"""Tensors of a checkpoint that are read when they are needed, and not before."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

from hwmodels.plain import shortened
from neurt.loading.directory import weight_files
from neurt.loading.gguf.file import GGUFTensors
from neurt.loading.reading import UNFIT, check_keys
from neurt.loading.source import ModelError, ModelSource

#: What checkpoints of older versions of transformers hold, and none of today reads.
_COMPUTED = r"rotary_emb\.inv_freq$"


class Stored(ABC):
    """A checkpoint whose tensors are read in single precision, by the names of the parameters."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)  #: the files that hold it

    @property
    def identity(self) -> list[list[object]]:
        """Name, size and time of change of each file: what tells that they are the same."""
        found = [(path.resolve(), path.stat()) for path in self.files]
        return [[str(path), about.st_size, about.st_mtime_ns] for path, about in found]

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The parameters that it holds."""

    @abstractmethod
    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Parameters by name, in single precision.

        Those that are stored so are mapped into memory: what of them is used takes memory until
        the tensor is gone.
        """


class StoredFiles(Stored):
    """Safetensors files."""

    def __init__(self, directory: Path, model: PreTrainedModel, if_missing: str) -> None:
        """Look through the headers of the files of a model directory.

        Args:
            directory: Where they are.
            model: Names and shapes of all parameters; it needs no memory for them.
            if_missing: Ends the error about a parameter that is not there.

        Raises:
            ModelError: If a file cannot be read, or parameters are missing, have another shape or
                no place in the model, or are whole numbers.
        """
        super().__init__(weight_files(directory))
        self._directory = directory
        self._places: dict[str, tuple[Path, str]] = {}
        wanted = {name: tuple(each.shape) for name, each in model.named_parameters()}
        known, ignored = model.state_dict().keys(), _ignored(model)
        unknown: list[str] = []
        others: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        for file in self.files:
            for key, shape, dtype in _header(file, directory):
                longer = f"{model.base_model_prefix}.{key}"
                name = key if key in known else longer
                if name not in known:
                    unknown += [] if ignored.search(key) else [key]
                    continue
                if name in self._places:
                    raise ModelError(
                        f"weights of '{directory}' cannot be loaded: '{key}' is in '{file.name}' "
                        "and in another file"
                    )
                if not dtype.startswith(("F", "BF")):
                    raise ModelError(
                        f"weights of '{directory}' cannot be loaded: '{key}' is {dtype}, and none "
                        "but floating-point ones are read"
                    )
                if shape != wanted.get(name, shape):
                    others.append((name, shape, wanted[name]))
                self._places[name] = file, key
        keys = {
            "missing_keys": wanted.keys() - self._places.keys(),
            "unexpected_keys": unknown,
            "mismatched_keys": others,
        }
        check_keys(keys, str(directory), if_missing)

    @property
    def names(self) -> frozenset[str]:
        """See `Stored.names`."""
        return frozenset(self._places)

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """See `Stored.read`; raises ModelError if a file cannot be read any more."""
        by_file: dict[Path, dict[str, str]] = {}
        for name in names:
            file, key = self._places[name]
            by_file.setdefault(file, {})[name] = key
        found: dict[str, Tensor] = {}
        for file, keys in by_file.items():
            try:
                with safe_open(file, "pt") as opened:  # opened anew, so that its pages go
                    for name, key in keys.items():
                        found[name] = opened.get_tensor(key).to(torch.float32)
            except UNFIT as error:
                raise _unreadable(file, self._directory, error) from error
        return found


class StoredGGUF(Stored):
    """A GGUF file."""

    def __init__(self, path: Path) -> None:
        super().__init__([path])
        self._tensors = GGUFTensors.opened(path)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that it holds."""
        return self._tensors.config

    @property
    def names(self) -> frozenset[str]:
        """See `Stored.names`."""
        return frozenset(self._tensors.names)

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """See `Stored.read`; raises GGUFError if a weight is not finite."""
        return {name: self._tensors.read(name) for name in names}


def stored(source: ModelSource, model: PreTrainedModel, if_missing: str) -> Stored:
    """The checkpoint of a local model; see `StoredFiles`."""
    if source.file is not None:
        return StoredGGUF(source.file)
    assert source.directory is not None, "weights of the hub have been downloaded"
    return StoredFiles(source.directory, model, if_missing)


def _ignored(model: PreTrainedModel) -> re.Pattern[str]:
    own = model._keys_to_ignore_on_load_unexpected or ()
    return re.compile("|".join([_COMPUTED, *own]))


def _header(file: Path, directory: Path) -> list[tuple[str, tuple[int, ...], str]]:
    """Names, shapes and types of the tensors of a file."""
    found = []
    try:
        with safe_open(file, "pt") as opened:
            for key in opened.keys():  # noqa: SIM118 - it is no mapping
                part = opened.get_slice(key)
                found.append((key, tuple(part.get_shape()), str(part.get_dtype())))
    except UNFIT as error:
        raise _unreadable(file, directory, error) from error
    return found


def _unreadable(file: Path, directory: Path, error: Exception) -> ModelError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"weights of '{directory}' cannot be loaded: '{file.name}' is cut short or no safetensors "
        f"file ({shortened(said)}); download it again"
    )
