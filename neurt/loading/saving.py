"""Write a model directory that any tool of the ecosystem loads; its weights come last."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel

from neurt.families import UNREAD
from neurt.loading.directory import MODEL
from reports.kit.files import OutputError, prepare_directory, put, remove
from reports.kit.unfinished import unfinished

SaveDtype = Literal["float16", "bfloat16", "float32"]


def round_weights(model: PreTrainedModel, dtype: SaveDtype) -> None:
    """Give each matrix the values that its file will hold, so that this model is measured.

    Vectors (biases, norms, thresholds) stay in full: they are small, and a threshold may be
    smaller than the smallest half-precision number.

    Raises:
        OutputError: If a value is not finite in `dtype`; the model is then unchanged.
    """
    matrices = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    with torch.no_grad():
        rounded = {name: p.to(getattr(torch, dtype)) for name, p in matrices.items()}
        for name, values in rounded.items():
            if not bool(values.isfinite().all()):
                way_out = "check the weights" if dtype == "float32" else "use --save-dtype float32"
                raise OutputError(f"parameter '{name}' is not finite in {dtype}; {way_out}")
        for name, values in rounded.items():
            matrices[name].copy_(values)


def save_model(
    model: PreTrainedModel, tokenizer: Any, directory: Path, dtype: SaveDtype = "float32"
) -> list[Path]:
    """Write configuration, tokenizer and weights; returns the files.

    Each file appears whole, and `model.safetensors` last: a directory that has it is complete. An
    older model is whole until the new one is on the disk, and then replaced file by file, its
    weights first.

    Args:
        model: The model, whose weights have been rounded to `dtype`.
        dtype: Of the matrices in the file.

    Raises:
        OutputError: If it cannot be written.
    """
    prepare_directory(directory)
    state, cast = {}, dict[int, Tensor]()
    for name, tensor in model.state_dict().items():
        matrix = tensor.to(getattr(torch, dtype)) if tensor.ndim > 1 else tensor
        state[name] = cast.setdefault(tensor.data_ptr(), matrix)  # tied weights are stored once
    try:
        with unfinished(directory) as made:
            model.save_pretrained(made, state_dict=state)
            for key in UNREAD & tokenizer.init_kwargs.keys():  # its configuration is of others too
                del tokenizer.init_kwargs[key]
            tokenizer.save_pretrained(made)
            new = sorted(made.iterdir(), key=lambda path: (path.name == MODEL, path))
            remove(directory / MODEL)
            return [put(path, directory / path.name) for path in new]
    except (OSError, SafetensorError) as error:
        if isinstance(error, OutputError):
            raise
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"'{directory}' cannot be written: {why}") from error
