"""Write a model that is run layer by layer: one file of weights for each transformer layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from neurt.families import UNREAD
from neurt.loading.directory import INDEX
from neurt.streaming.skeleton import Streamed
from reports.kit.files import OutputError, put, remove, write_atomically, write_json
from reports.kit.unfinished import unfinished


def write_model(
    model: Streamed,
    tokenizer: Any,
    directory: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Write configuration, tokenizer and weights as any tool of the ecosystem loads them.

    Each file appears whole, and the index of the weights last: a directory that has it is complete.
    Files of weights that are there already are kept, so a directory in which the same was begun is
    finished; `discard` removes them.

    Args:
        model: The model, with its thresholds.
        progress: Told how many files of weights are written, and of how many.

    Raises:
        OutputError: If it cannot be written.
        StreamError: If a weight is not finite.
    """
    _write_words(model, tokenizer, directory)
    parts = (None, *model.depths)
    placed: dict[str, str] = {}
    size = 0
    for at, depth in enumerate(parts):
        progress(at, len(parts))
        name = f"model-{at + 1:05}-of-{len(parts):05}.safetensors"
        held = model.parameters(depth)
        placed |= dict.fromkeys(held, name)
        size += sum(
            model.model.get_parameter(each).numel() * model.precision_of(each).itemsize
            for each in held
        )
        if not (directory / name).exists():
            with model.resident(depth):
                values = {each: model.model.get_parameter(each).detach().cpu() for each in held}
                write_atomically(directory / name, partial(_save, values))
                del values
    write_json(
        directory / INDEX,
        {"metadata": {"total_size": size}, "weight_map": dict(sorted(placed.items()))},
    )
    progress(len(parts), len(parts))


def _save(values: dict[str, Tensor], path: Path) -> None:
    try:
        save_file({name: x.contiguous() for name, x in values.items()}, path, {"format": "pt"})
    except SafetensorError as error:  # a disk that is full, for example
        raise OutputError(f"'{path.name}' cannot be written: {error}") from error


def _write_words(model: Streamed, tokenizer: Any, directory: Path) -> None:
    """Everything but the weights."""
    config = model.model.config
    config.architectures = [type(model.model).__name__]
    config.dtype = model.where.dtype
    for key in UNREAD & tokenizer.init_kwargs.keys():  # its configuration is of others too
        del tokenizer.init_kwargs[key]
    try:
        with unfinished(directory) as made:
            config.save_pretrained(made)
            if model.model.can_generate():
                model.model.generation_config.save_pretrained(made)
            tokenizer.save_pretrained(made)
            for path in sorted(made.iterdir()):
                put(path, directory / path.name)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"'{directory}' cannot be written: {error.strerror or error}") from error


def begun(directory: Path) -> Iterator[Path]:
    """The files of weights that `write_model` has left there."""
    yield from directory.glob("model-*-of-*.safetensors")


def discard(directory: Path) -> None:
    """Remove what `write_model` has left there of weights; OutputError if it cannot."""
    for path in (*begun(directory), directory / INDEX):
        remove(path)
