"""Spikes where they arrive: verified by value, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from energy.counts import Levels
from energy.formulas.convolution import Map
from energy.meter.events import count_events
from energy.network.planes import Plane, count_planes
from energy.network.provenance import Storages
from energy.network.spikes import Spikes
from hwmodels.errors import UserError


class NetworkError(UserError, ValueError):
    """A network that cannot be counted as it is, or as it was asked for."""


class _Seen(NamedTuple):
    """What was counted in a storage."""

    spikes: Spikes
    version: int  #: of the tensor
    entries: int
    events: int
    planes: Plane | None  #: at each position of feature maps, if they are any


class Events:
    """Counts spikes where they are sent and where they arrive, and verifies them by value.

    What a neuron sends is what the layers behind it take: the same storage is looked at once.
    """

    def __init__(self) -> None:
        self._seen: Storages[_Seen] = Storages()

    def count(self, tensor: Tensor, spikes: Spikes, name: str) -> int:
        """How many events a tensor of spikes holds; a value of n units is n of them.

        Args:
            tensor: The spikes.
            spikes: What they may be.
            name: Where they are, for errors.

        Raises:
            EventError: If a value is not one of the levels.
            NetworkError: If the tensor has no values.
        """
        return self._look(tensor, spikes, name).events

    def merge(self, out: Tensor, spikes: Spikes, terms: Sequence[Any]) -> None:
        """Note a sum of spikes: what is known of both is known of it, without another look.

        Whole numbers that add up to what `spikes` may be are exact, and those below 0 are left out.
        """
        tensors = [x for x in terms if isinstance(x, Tensor)]
        like = all(x.shape == out.shape and x.stride() == out.stride() for x in tensors)
        parts = [self._known(x) for x in tensors]
        if len(parts) != 2 or not like or any(x is None or x.spikes.low < 0 for x in parts):
            return
        events = sum(x.events for x in parts if x is not None)
        planes = [x.planes for x in parts if x is not None and x.planes is not None]
        # A storage may have been looked at as maps of another size than its partner.
        alike = len(planes) == 2 and planes[0].size == planes[1].size
        both = planes[0] + planes[1] if alike else None
        self._put(out, _Seen(spikes, _version(out), out.numel(), events, both))

    def _known(self, tensor: Tensor) -> _Seen | None:
        """What was counted in a tensor, if nothing has been written into it since."""
        seen = self._seen.get(tensor)
        same = seen is not None and seen[1:3] == (_version(tensor), tensor.numel())
        return seen if same and _each_once(tensor) else None

    def _put(self, tensor: Tensor, seen: _Seen) -> None:
        whole = tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
        if whole and seen.version >= 0 and _each_once(tensor):
            self._seen.put(tensor, seen)

    def _look(self, tensor: Tensor, spikes: Spikes, name: str) -> _Seen:
        seen = self._known(tensor)
        if seen is not None and seen.spikes == spikes:
            return seen
        units, levels = in_units(tensor, spikes, name), levels_of(spikes)
        planes = count_planes(units, levels)
        if planes is not None:
            events = int(planes.sum(dtype=np.float64))
        else:  # of something else, or with a stranger that is named
            events = count_events(units, levels, name)
        seen = _Seen(spikes, _version(tensor), tensor.numel(), events, planes)
        self._put(tensor, seen)
        return seen

    def positions(self, tensor: Tensor, spikes: Spikes, name: str) -> Map:
        """The events at each position of (batch, channels, ...), over batch and channels.

        Returns:
            Whole numbers (...) of 64 bits; arguments and errors are those of `count`.
        """
        planes = self._look(tensor, spikes, name).planes
        same = tensor.dim() == 4 and tensor.is_contiguous()  # the order in which they were counted
        if planes is not None and same and planes.size == tensor.shape[2:].numel():
            return planes.astype(np.int64).reshape(tensor.shape[2:])
        units, levels = in_units(tensor, spikes, name), levels_of(spikes)
        units = units.flatten(0, 1).detach()
        if levels is not Levels.BINARY:
            units = (
                units.ne(0) if not levels.in_units else units if spikes.low >= 0 else units.abs()
            )
        # In FP32 whole numbers are exact up to 2^24, and no entry is above 127.
        exact = units.dtype is torch.float32 and len(units) < 2**17
        total = units.sum(0, dtype=None if exact else torch.float64).to(torch.int64)
        return np.asarray(total.cpu().numpy())


def _each_once(tensor: Tensor) -> bool:
    """Whether a tensor of as many entries as its storage has each of them: no part is expanded."""
    if tensor.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else int(tensor._version)


def levels_of(spikes: Spikes) -> Levels:
    """The levels of spikes, of which there are no others."""
    levels = spikes.levels
    assert levels is not None
    return levels


def in_units(tensor: Tensor, spikes: Spikes, name: str) -> Tensor:
    """The same spikes as whole numbers; those that are none stay strangers."""
    if tensor.is_meta:
        raise NetworkError(
            f"layer '{name}' takes spikes on the meta device, which has sizes and no values, so "
            "nobody knows how many there are; count the network where its weights are"
        )
    if spikes.unit == 1 or spikes.power:
        return tensor
    units = tensor.detach().to(torch.float64) / spikes.unit
    whole = units.round()
    return whole if torch.allclose(units, whole, rtol=0, atol=1e-4) else units
