"""Tensors of a checkpoint that are read when they are needed, and not before."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

from neurt.loading.adapter import Change
from neurt.loading.directory import weight_files
from neurt.loading.gguf.file import GGUFTensors
from neurt.loading.headers import headers, unreadable
from neurt.loading.quantised.unpack import Packed
from neurt.loading.reading import UNFIT, adapter_of, check_keys, is_quantised
from neurt.loading.source import ModelError, ModelSource, read_config

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


#: The name of the tensor of a parameter; or of those that it is packed in, by their ends.
_Place = str | dict[str, str]


class StoredFiles(Stored):
    """Safetensors files."""

    def __init__(
        self,
        directory: Path,
        model: PreTrainedModel,
        if_missing: str,
        packed: Packed | None = None,
        adapter: Path | None = None,
    ) -> None:
        """Look through the headers of the files of a model directory.

        Args:
            directory: Where they are.
            model: Names and shapes of all parameters; it needs no memory for them.
            if_missing: Ends the error about a parameter that is not there.
            packed: How its weights are quantised, if they are.
            adapter: The directory of an adapter that is merged into them.

        Raises:
            ModelError: If a file cannot be read, or parameters are missing, have another shape or
                no place in the model, or are whole numbers; or if the adapter does not fit. Of what
                is quantised the shape is known when it is read.
        """
        files = weight_files(directory)
        tensors = headers(files, directory)
        super().__init__(files if adapter is None else [*files, *sorted(adapter.iterdir())])
        self._directory, self._tensors, self._packed = directory, tensors, packed
        self._changes: Mapping[str, Change] = {}
        if adapter is not None:
            shapes = {key: tensor.shape for key, tensor in tensors.items()}
            self._changes = adapter_of(adapter).changes(shapes)
        plain, layers = [*tensors], dict[str, dict[str, str]]()
        if packed is not None:
            plain, layers = packed.sort(tensors)
        self._wanted = {name: tuple(each.shape) for name, each in model.named_parameters()}
        #: Of each parameter its tensor, or those that it is packed in by the ends of their names.
        keys: dict[str, _Place] = {key: key for key in plain}
        self._places = self._place(model, {**keys, **layers}, if_missing)

    def _place(
        self, model: PreTrainedModel, keys: Mapping[str, _Place], if_missing: str
    ) -> dict[str, _Place]:
        """Where each parameter of a model is; see `__init__`."""
        known, ignored = model.state_dict().keys(), _ignored(model)
        places: dict[str, _Place] = {}
        unknown: list[str] = []
        others: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        for key, place in keys.items():
            longer = f"{model.base_model_prefix}.{key}"
            name = key if key in known else longer
            if name not in known:
                unknown += [] if ignored.search(key) else [key]
                continue
            if name in places:
                raise ModelError(
                    f"weights of '{self._directory}' cannot be loaded: '{key}' is there twice, "
                    f"with '{model.base_model_prefix}.' before it and without"
                )
            if isinstance(place, str):
                _, shape, dtype = self._tensors[place]
                if not dtype.startswith(("F", "BF")):
                    raise ModelError(
                        f"weights of '{self._directory}' cannot be loaded: '{key}' is {dtype}, and "
                        "none but floating-point ones are read"
                    )
                if shape != self._wanted.get(name, shape):
                    others.append((name, shape, self._wanted[name]))
            places[name] = place
        found = {
            "missing_keys": self._wanted.keys() - places.keys(),
            "unexpected_keys": unknown,
            "mismatched_keys": others,
        }
        check_keys(found, str(self._directory), if_missing)
        return places

    @property
    def names(self) -> frozenset[str]:
        """See `Stored.names`."""
        return frozenset(self._places)

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """See `Stored.read`; what is quantised is unpacked.

        Raises:
            ModelError: If a file cannot be read any more, or a quantised layer cannot be unpacked.
        """
        places = {name: self._places[name] for name in names}
        found = self._read({name: x for name, x in places.items() if isinstance(x, str)})
        for name, parts in places.items():
            if not isinstance(parts, str):
                found[name] = self._unpacked(name, parts)
        return found

    def _read(self, keys: Mapping[str, str], *, packed: bool = False) -> dict[str, Tensor]:
        """Tensors, those that are packed as they are and others in single precision."""
        by_file: dict[Path, dict[str, str]] = {}
        for name, key in keys.items():
            by_file.setdefault(self._tensors[key].file, {})[name] = key
        found: dict[str, Tensor] = {}
        for file, inside in by_file.items():
            try:
                with safe_open(file, "pt") as opened:  # opened anew, so that its pages go
                    for name, key in inside.items():
                        tensor = opened.get_tensor(key)
                        if key in self._changes:
                            tensor = self._changes[key](tensor)
                        found[name] = tensor if packed else tensor.to(torch.float32)
            except UNFIT as error:
                raise unreadable(file, self._directory, error) from error
        return found

    def _unpacked(self, name: str, parts: Mapping[str, str]) -> Tensor:
        assert self._packed is not None, "without it nothing is packed"
        dense = self._packed.dense(name, self._read(parts, packed=True))
        if dense is None:
            raise ModelError(
                f"weights of '{self._directory}' cannot be unpacked: tensors {', '.join(parts)} of "
                f"'{name}' are not those of its 'quantization_config'; download them again"
            )
        mismatched = [(name, tuple(dense.shape), self._wanted.get(name, tuple(dense.shape)))]
        others = [it for it in mismatched if it[1] != it[2]]
        found = {"missing_keys": (), "unexpected_keys": (), "mismatched_keys": others}
        check_keys(found, str(self._directory), "")
        return dense.to(torch.float32).contiguous()


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
    directory = source.directory
    assert directory is not None, "weights of the hub have been downloaded"
    content = read_config(directory / "config.json")
    if not is_quantised(content):
        return StoredFiles(directory, model, if_missing, adapter=source.adapter)
    if source.adapter is not None:
        adapter_of(source.adapter, source.where)
    return StoredFiles(directory, model, if_missing, Packed(content, source.where))


def _ignored(model: PreTrainedModel) -> re.Pattern[str]:
    own = model._keys_to_ignore_on_load_unexpected or ()
    return re.compile("|".join([_COMPUTED, *own]))
