"""The device and the precision of a training, and the processes that share it."""

from __future__ import annotations

import os

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState

from neurt.learning.sharding import load_whole
from neurt.loading.placement import DeviceError, find_device, find_dtype


def processes() -> PartialState:
    """This process among those that train together.

    Where there is no GPU, Accelerate must be told to join the processes that `torchrun` starts:
    it would take each for the only one.
    """
    load_whole()
    return PartialState(cpu=not torch.accelerator.is_available())


def training_device(asked: str) -> torch.device:
    """The device that this process trains on; of several processes each has its own.

    Raises:
        DeviceError: If it is not there, or one accelerator is asked for by several processes.
    """
    load_whole()
    several_share = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several_share and ":" in asked:
        raise DeviceError(
            f"--device {asked} is one accelerator, and of processes that train together each has "
            f"its own; give --device {asked.partition(':')[0]}"
        )
    device = find_device(asked)
    if device.type != "cpu" and not several_share:
        torch.accelerator.set_device_index(device)
    if PartialState._shared_state and PartialState().device.type != device.type:
        AcceleratorState._reset_state(reset_partial_state=True)  # an earlier training of ours
    found: torch.device = PartialState(cpu=device.type == "cpu").device
    return device if found.index is None else found


def products_in(asked: str, device: torch.device, stored: str | None = None) -> torch.dtype:
    """The precision of the products of a training step that `--dtype` means; see `find_dtype`.

    BF16 takes the place of FP16, whose gradients would need a scale of the loss.
    """
    found = find_dtype(asked, device, stored)
    return torch.bfloat16 if found is torch.float16 else found
