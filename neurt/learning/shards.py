"""The state of a sharded training: what each process has is a file of its own (safetensors).

PyTorch's distributed checkpoints write and read it, whatever the number of processes then and
now. The files belong to the checkpoint that names them with their SHA-256, and are whole before it
does: a process that is killed while it writes them leaves the older checkpoint with its own.
"""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from hwmodels.plain import printable, shortened
from neurt.learning.checkpoint import (
    Checkpoint,
    CheckpointError,
    folder_of_shards,
    folders_of_shards,
)
from neurt.learning.sharding import is_sharded
from reports.kit.files import prepare_directory


def write_shards(
    directory: Path, step: int, tensors: Mapping[str, Tensor], accelerator: Accelerator
) -> dict[str, str]:
    """Write what this process has of each tensor, and wait for the others.

    Returns:
        SHA-256 of each file by its name, of all processes.

    Raises:
        CheckpointError: If a file cannot be written; the checkpoint before it is still whole.
    """
    folder = folder_of_shards(directory, step)
    if accelerator.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)  # a killed process may have begun it
        prepare_directory(folder)
    accelerator.wait_for_everyone()
    try:
        writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
        save_distributed(dict(tensors), storage_writer=writer)
    except (OSError, CheckpointException) as error:
        why = shortened(printable(" ".join(str(error).split())))
        raise CheckpointError(
            f"the shards of a checkpoint cannot be written to '{folder}' ({why}); the checkpoint "
            "before it is whole, continue it with --resume when the cause is gone"
        ) from error
    accelerator.wait_for_everyone()
    names = sorted(path.name for path in folder.iterdir())
    mine = names[accelerator.process_index :: accelerator.num_processes]
    found = gather_object([(name, _digest(folder / name)) for name in mine])
    return dict(sorted(found))


def read_shards(
    directory: Path,
    checkpoint: Checkpoint,
    trained: Mapping[str, nn.Parameter],
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    """What this process has of each tensor of a checkpoint, however many processes wrote it.

    Those of a checkpoint without shards are as it has them.

    Args:
        trained: The parameters by name; sharded ones say how their state is.

    Raises:
        CheckpointError: If a file is missing, damaged or edited, or there is one too many.
    """
    folder, files = folder_of_shards(directory, checkpoint.step), checkpoint.shards
    if not files:
        return checkpoint.tensors
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if names != sorted(files):
        raise _damaged(folder, f"it has {len(names)} files of {len(files)}")
    for name in names[accelerator.process_index :: accelerator.num_processes]:
        if _digest(folder / name) != files[name]:
            raise _damaged(folder, f"the SHA-256 of {name} is another")
    reader = HuggingFaceStorageReader(str(folder))
    tensors = {}
    for key, stored in reader.read_metadata().state_dict_metadata.items():
        assert isinstance(stored, TensorStorageMetadata)  # all that a safetensors file can hold
        parameter = trained[key.partition("/")[2]]
        like = parameter if stored.size == parameter.shape else torch.zeros(stored.size)
        tensors[key] = torch.zeros_like(like.detach(), dtype=stored.properties.dtype)
    with _quiet():
        load_distributed(tensors, storage_reader=reader, no_dist=not is_sharded(accelerator))
    return tensors


def forget_other_shards(directory: Path, step: int) -> None:
    """Remove the shards of all checkpoints but one."""
    for folder in folders_of_shards(directory):
        if folder != folder_of_shards(directory, step):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Of a process that is alone, PyTorch says that it must be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"the shards of the checkpoint in '{folder}' are damaged ({why}); restore them, or start "
        "anew in another --out"
    )
