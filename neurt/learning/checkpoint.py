"""The state of a training in one file, which is always whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hwmodels.errors import UserError
from neurt.loading.saving import MODEL
from reports.kit.files import write_atomically

CHECKPOINT = "checkpoint.safetensors"
FORMAT = "neurt-energy checkpoint"
VERSION = "1"


class CheckpointError(UserError, ValueError):
    """A training that cannot be started or continued in a directory."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after some of its steps."""

    stage: str  #: part of the training
    step: int  #: steps done
    #: all that the result depends on, so that no other training continues it
    fingerprint: Mapping[str, str]
    tensors: Mapping[str, Tensor]  #: trainable parameters and the optimiser's state, by name


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> Path:
    """Replace the checkpoint of a directory in one step.

    Raises:
        OutputError: If it cannot be written; the older one is then still whole.
    """
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "stage": checkpoint.stage,
        "step": str(checkpoint.step),
        "fingerprint": json.dumps(dict(checkpoint.fingerprint)),
    }
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}

    def write(path: Path) -> None:
        try:
            save_file(tensors, path, metadata)
        except SafetensorError as error:  # a full disk, say, which the library does not call so
            raise OSError(str(error)) from error

    return write_atomically(directory / CHECKPOINT, write)


def load_checkpoint(directory: Path, fingerprint: Mapping[str, str]) -> Checkpoint:
    """Read the checkpoint of a directory.

    Raises:
        CheckpointError: If there is none, it is no whole file of this version, or belongs to
            another training.
    """
    path = directory / CHECKPOINT
    if not path.is_file():
        why = f"no {CHECKPOINT}; leave out --resume"
        if (directory / MODEL).is_file():
            why = f"the training there is finished ({MODEL}); choose another --out to train again"
        raise CheckpointError(f"nothing to resume in '{directory}': {why}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            _check_fingerprint(path, json.loads(metadata["fingerprint"]), fingerprint)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Checkpoint(metadata["stage"], int(metadata["step"]), fingerprint, tensors)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"checkpoint '{path}' is truncated or damaged ({error}); delete it and start again "
            "without --resume"
        ) from error


def check_unused(directory: Path) -> None:
    """Make sure that a new training would overwrite none.

    Raises:
        CheckpointError: If the directory holds a checkpoint or a trained model.
    """
    if (directory / CHECKPOINT).exists():
        raise CheckpointError(
            f"'{directory}' holds an unfinished training ({CHECKPOINT}); continue it with "
            "--resume, or choose another --out"
        )
    if (directory / MODEL).exists():
        raise CheckpointError(f"'{directory}' holds a model ({MODEL}); choose another --out")


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not a checkpoint of this program; choose another --out")
    if metadata["version"] != VERSION:
        raise CheckpointError(
            f"checkpoint '{path}' has version {metadata['version']}, this program reads version "
            f"{VERSION}; continue it with the program that wrote it, or start anew in another --out"
        )


def _check_fingerprint(path: Path, stored: Mapping[str, str], asked: Mapping[str, str]) -> None:
    for key in dict.fromkeys([*asked, *stored]):
        if stored.get(key) != asked.get(key):
            raise CheckpointError(
                f"checkpoint '{path}' was made with {key} = {stored.get(key, 'nothing')}, but now "
                f"{key} = {asked.get(key, 'nothing')}; resume with the old setting, or start anew "
                "in another --out"
            )
