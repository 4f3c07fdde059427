"""The state of a training in one file, which is always whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from hwmodels.errors import UserError
from hwmodels.inputs import parse_json
from hwmodels.plain import printable, shortened
from neurt.learning.sharding import as_part
from neurt.loading.directory import MODEL
from reports.kit.files import remove, write_atomically

CHECKPOINT = "checkpoint.safetensors"
FORMAT = "neurt-energy checkpoint"
VERSION = "4"
#: Before the step, the name of a folder.
_SHARDS = "checkpoint-"


class CheckpointError(UserError, ValueError):
    """A training that cannot be started or continued in a directory."""


def save_checkpoint(
    directory: Path,
    step: int,
    fingerprint: Mapping[str, str],
    tensors: Mapping[str, Tensor],
    metrics: str = "",
    shards: Mapping[str, str] | None = None,
) -> Path:
    """Replace the checkpoint of a directory in one step; if that fails, the older one is whole.

    Args:
        step: Steps done.
        fingerprint: All that the result depends on, so that no other training continues it.
        tensors: Trainable parameters and the optimiser's state, by name.
        metrics: The table of all steps done, as each run of the training writes it.
        shards: SHA-256 by the name of a file that holds tensors in its place, see `shards.py`.
    """
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "stage": fingerprint["stage"],
        "step": str(step),
        "fingerprint": json.dumps(dict(fingerprint)),
        "metrics": hashlib.sha256(metrics.encode()).hexdigest(),
        **({"shards": json.dumps(dict(shards))} if shards else {}),
    }
    whole = {name: x.cpu().contiguous() for name, x in tensors.items()}
    metadata["sha256"] = _digest(metadata, whole)

    def write(path: Path) -> None:
        try:
            save_file(whole, path, metadata)
        except SafetensorError as error:  # a full disk, say, which the library does not call so
            raise OSError(str(error)) from error

    return write_atomically(directory / CHECKPOINT, write)


class Checkpoint(NamedTuple):
    """A training as it was after a step."""

    step: int  #: steps done
    tensors: dict[str, Tensor]  #: trainable parameters and the optimiser's state, by name
    metrics: str  #: SHA-256 of the table of these steps
    shards: dict[str, str]  #: SHA-256 by the name of each file that has tensors in its place


def load_checkpoint(directory: Path, fingerprint: Mapping[str, str]) -> Checkpoint:
    """The checkpoint of a directory.

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
            _check_fingerprint(path, metadata, fingerprint)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, UnicodeError) as error:
        raise _damaged(path, error) from error
    if _digest(metadata, tensors) != metadata.get("sha256"):
        raise _damaged(path, "its SHA-256 is another")
    shards: dict[str, str] = json.loads(metadata.get("shards", "{}"))
    return Checkpoint(int(metadata["step"]), tensors, metadata["metrics"], shards)


def check_unused(directory: Path) -> None:
    """Raise CheckpointError if a directory holds a checkpoint or a trained model."""
    if (directory / CHECKPOINT).exists():
        raise CheckpointError(
            f"'{directory}' holds an unfinished training ({CHECKPOINT}); continue it with "
            "--resume, or choose another --out"
        )
    if (directory / MODEL).exists():
        raise CheckpointError(f"'{directory}' holds a model ({MODEL}); choose another --out")


def folder_of_shards(directory: Path, step: int) -> Path:
    """Where the shards of the checkpoint after a step are."""
    return directory / f"{_SHARDS}{step}"


def folders_of_shards(directory: Path) -> list[Path]:
    """All of them, those of checkpoints that were begun or replaced too."""
    return [path for path in directory.glob(f"{_SHARDS}*") if path.is_dir()]


def remove_checkpoint(directory: Path) -> None:
    """Remove the checkpoint of a training that ended; what is left of it if that fails is none."""
    remove(directory / CHECKPOINT)
    for folder in folders_of_shards(directory):
        shutil.rmtree(folder, ignore_errors=True)


def state_tensors(
    trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Parameters and what AdamW knows of each, where they are, named `kind/parameter`."""
    tensors = {f"parameter/{name}": p.detach() for name, p in trained.items()}
    for name, p in trained.items():
        tensors |= {f"{key}/{name}": value for key, value in optimizer.state[p].items()}
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    trained: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put back what `state_tensors` returned, in place; of sharded parameters their part of it."""
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "step":
            optimizer.state[trained[name]][kind] = tensor
            continue
        part = tensor if isinstance(tensor, DTensor) else as_part(tensor, trained[name])
        if kind == "parameter":
            with torch.no_grad():
                trained[name].copy_(part)
        else:
            optimizer.state[trained[name]][kind] = part


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a checkpoint, but for itself."""
    digest = hashlib.sha256(repr(sorted({**metadata, "sha256": ""}.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(
        f"checkpoint '{path}' is truncated or damaged ({shortened(printable(str(why)))}); delete "
        "it and start again without --resume"
    )


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not a checkpoint of this program; choose another --out")
    if (version := _said(metadata, "version")) != VERSION:
        raise CheckpointError(
            f"checkpoint '{path}' has version {version}, this program reads version "
            f"{VERSION}; continue it with the program that wrote it, or start anew in another --out"
        )


def _check_fingerprint(path: Path, metadata: Mapping[str, str], asked: Mapping[str, str]) -> None:
    stored = parse_json(
        metadata.get("fingerprint", ""), f"checkpoint '{path}': its fingerprint", CheckpointError
    )
    if not isinstance(stored, dict):
        raise _damaged(path, "its fingerprint is no object")
    for key in dict.fromkeys([*asked, *stored]):
        if stored.get(key) != asked.get(key):
            raise CheckpointError(
                f"checkpoint '{path}' was made with {key} = {_said(stored, key)}, but now "
                f"{key} = {_said(asked, key)}; resume with the old setting, or start anew "
                "in another --out"
            )


def _said(values: Mapping[str, object], key: str) -> str:
    return shortened(printable(str(values.get(key, "nothing"))))
