"""Whether weights fit into memory, found out before any of it is taken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from hwmodels.errors import UserError

_SYSTEM = Path("/")
_WORDS = {torch.float32: "single precision", torch.bfloat16: "BF16", torch.float16: "FP16"}


def check_fits(
    build: Callable[[], nn.Module],
    name: str,
    error: type[UserError],
    free: int | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
    other: str = "",
) -> None:
    """Raise an error, which says the bytes, if the weights of a model need more than is free.

    Args:
        build: Makes the model; it is called where tensors have sizes and no memory.
        name: That of the model, for the error.
        error: The class of the error.
        free: Bytes of memory that are free; None for what `free_bytes` finds.
        dtype: The precision of the weights.
        device: The accelerator that they go to; None for the memory of the machine.
        other: What else could be done, for the error.
    """
    with torch.device("meta"):
        numbers = sum(parameter.numel() for parameter in build().parameters())
    needed = dtype.itemsize * numbers
    if free is None:
        free = free_bytes() if device is None else free_on(device)
    if free is not None and needed > free:
        memory = "memory" if device is None else f"memory on {device}"
        raise error(
            f"the weights of '{name}' take {needed:,} bytes in {_WORDS.get(dtype, dtype)}, and "
            f"{free:,} bytes of {memory} are free; take{other} a smaller model, or `neurt-energy "
            "plan`"
        )


def free_on(device: torch.device) -> int | None:
    """Memory of an accelerator that is free; None where torch cannot say."""
    try:
        free, _ = torch.accelerator.get_memory_info(device)
    except (AttributeError, NotImplementedError, RuntimeError):  # torch's words for: not known here
        return None
    return free


def free_bytes(system: Path = _SYSTEM) -> int | None:
    """Memory that this process may still take; None where the system does not say.

    The least of what the machine has available, what the groups of processes that this one is in
    (containers, batch jobs) leave of their limits, and what its limit of addresses leaves.

    Args:
        system: Where `proc` and `sys` are.
    """
    return min((*_available(system), *_left_of_groups(system), *_left_of_addresses()), default=None)


def _available(system: Path) -> Iterator[int]:
    with suppress(OSError, ValueError, KeyError):
        yield _table(system / "proc" / "meminfo")["MemAvailable:"] * 1024


def _left_of_groups(system: Path) -> Iterator[int]:
    """Of each group and those around it, whose limits hold too: version 2, else version 1."""
    root = system / "sys" / "fs" / "cgroup"
    with suppress(OSError):
        for line in (system / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines():
            number, kinds, path = line.split(":", 2)
            own = root / path.lstrip("/")
            if number == "0":
                for group in (own, *own.parents):
                    yield from _left(group, "memory.max", "memory.current", "inactive_file")
            elif "memory" in kinds.split(","):
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
                yield from _left(root / "memory" / path.lstrip("/"), *names)
                yield from _left(root / "memory", *names)


def _left(group: Path, limit: str, used: str, reclaimed: str) -> Iterator[int]:
    """What a group leaves of its limit, files in its cache not counted; nothing without a limit."""
    with suppress(OSError, ValueError):  # "max" is no limit, and no number
        left = int((group / limit).read_text()) - int((group / used).read_text())
        with suppress(OSError, KeyError):
            left += _table(group / "memory.stat")[reclaimed]
        yield max(0, left)


def _left_of_addresses() -> Iterator[int]:
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            with suppress(OSError, ValueError, KeyError):
                yield max(0, limit - _table(Path("/proc/self/status"))["VmSize:"] * 1024)


def _table(path: Path) -> dict[str, int]:
    """The second word of each line by the first, where it is a number."""
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}
