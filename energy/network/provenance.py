"""Where the values of tensors come from: spikes, constants of the model, or anything else.

It is known of a storage, so that each view of a tensor has it without being followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from energy.network.spikes import Spikes

Note = TypeVar("Note")


class Constant:
    """The mark of a parameter, a buffer, or what is made of nothing else."""


class Analog:
    """The mark of what arithmetic has made of spikes."""


CONSTANT: Final = Constant()
ANALOG: Final = Analog()
#: What is known of a tensor; None is any value.
Origin = Spikes | Constant | Analog | None


def spikes_of(origin: Any) -> Spikes | None:
    """Spikes, where it is known of a tensor that it holds them."""
    return origin if isinstance(origin, Spikes) else None


def number_of(value: Any, look: Callable[[Tensor], Origin]) -> float | None:
    """A constant of one entry, given as a number or as a tensor."""
    if isinstance(value, (int, float)):
        return float(value)
    single = isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta
    return float(value) if single and isinstance(look(value), Constant) else None


_MANY = 4096  # storages that are remembered before those that are gone are forgotten


class Storages(Generic[Note]):
    """Notes about storages, for as long as these exist."""

    def __init__(self) -> None:
        #: By address; the weak reference keeps it from being given to another storage.
        self._notes: dict[int, tuple[StorageWeakRef, Note]] = {}
        self._limit = _MANY

    def get(self, tensor: Tensor) -> Note | None:
        """What was noted of the storage of a tensor."""
        found = self._notes.get(address(tensor))
        return None if found is None else found[1]

    def put(self, tensor: Tensor, note: Note) -> None:
        """Note something, in place of what was noted before."""
        if not address(tensor):
            return
        storage = tensor.untyped_storage()
        self._notes[storage._cdata] = StorageWeakRef(storage), note
        if len(self._notes) > self._limit:
            self._notes = {at: it for at, it in self._notes.items() if not it[0].expired()}
            self._limit = max(_MANY, 2 * len(self._notes))

    def drop(self, tensor: Tensor) -> None:
        """Forget what was noted."""
        self._notes.pop(address(tensor), None)


class Provenance:
    """What is known of the tensors that one pass has used."""

    def __init__(self, constants: Iterable[Tensor] = ()) -> None:
        self._known: Storages[Spikes | Constant | Analog] = Storages()
        self.of = self._known.get  #: what is known of the values of a tensor
        for tensor in constants:
            self._known.put(tensor, CONSTANT)

    def tell(self, tensor: Tensor, origin: Origin) -> None:
        """Say what the storage of a tensor holds from now on."""
        if origin is None:
            self._known.drop(tensor)
        else:
            self._known.put(tensor, origin)

    def write(self, tensor: Tensor, origin: Origin) -> None:
        """Say what was written into a tensor, which may be a part of its storage."""
        before = self.of(tensor)
        strided = tensor.layout is torch.strided
        size = tensor.untyped_storage().nbytes() if strided else 0
        whole = tensor.numel() * tensor.element_size() >= size
        if not whole and before != origin:
            both = isinstance(before, Spikes) and isinstance(origin, Spikes)
            origin = before.union(origin) if both else None  # type: ignore[union-attr, arg-type]
        self.tell(tensor, origin)


def address(tensor: Tensor) -> int:
    """What a tensor has in common with its views; 0 for one that has no storage, as sparse ones."""
    return int(tensor.untyped_storage()._cdata) if tensor.layout is torch.strided else 0
