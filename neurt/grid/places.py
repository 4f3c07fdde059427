"""Where points of a grid are measured, as a part of their names: `KEY@cpu-float32`.

Words such as `auto` mean what the machine has, and results of another device or precision are
others: so a name says what they meant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from hwmodels.inputs import read_bytes
from neurt.grid.points import PointError
from neurt.loading.source import ModelSource
from neurt.progress import Say
from neurt.requests.loaded import Placed

_MARK = "@"
#: A map of devices has some bytes for each module.
_MOST_BYTES = 2**24


def place_of(request: Placed, source: ModelSource) -> str:
    """Kind of device and precision that a model of that source gets; a device map by its content.

    A Ray cluster has devices of its own: what points are given there are CUDA's unless it is said.

    Raises:
        DeviceError: If there is no such device here, and no cluster is asked.
        PointError: If the device map cannot be read.
    """
    device, cluster = request.device, getattr(request, "ray", None) is not None
    if cluster and device == "auto":
        device = "cuda" if getattr(request, "gpus_per_point", 0) else "cpu"
    dtype: str = request.dtype
    if device != "cpu":  # which alone needs no torch, so that known points are read in no time
        device, dtype = _found(device, dtype, source, here=not cluster)
    words = [device, "float32" if dtype == "auto" else dtype]
    asked: str | None = getattr(request, "device_map", None)
    if asked is not None:
        words.append("spread")
    if asked not in (None, "auto"):
        content = read_bytes(Path(asked), f"device map '{asked}'", PointError, _MOST_BYTES)
        words.append(hashlib.sha256(content).hexdigest()[:8])
    return "-".join(words)


def _found(device: str, dtype: str, source: ModelSource, *, here: bool) -> tuple[str, str]:
    """What words mean, by torch: the kind of a device, which must be here, and a precision."""
    import torch

    from neurt.loading.placement import find_device, find_dtype, stored_dtype

    found = find_device(device) if here else torch.device(device)
    precision = find_dtype(dtype, found, stored_dtype(source) if dtype == "auto" else None)
    return found.type, str(precision).removeprefix("torch.")


def named(key: str, place: str) -> str:
    """The name of a point that is measured there."""
    return f"{key}{_MARK}{place}"


def say_elsewhere(directory: Path, names: Iterable[str], say: Say) -> None:
    """Say which points there are of another place only: they are measured again."""
    again, places, here = 0, set[str](), ""
    for name in names:
        key, _, here = name.rpartition(_MARK)
        there = {path.name.removeprefix(key + _MARK) for path in directory.glob(f"{key}{_MARK}*")}
        found = {name.partition(".")[0] for name in there}
        if found and here not in found:
            again += 1
            places |= found
    if again:
        say(
            f"{again} of these points were measured as {', '.join(sorted(places))}; this is "
            f"{here}, whose results are others, so they are measured again."
        )
