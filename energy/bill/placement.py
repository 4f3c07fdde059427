"""Which part of each buffer lives in which memory level.

Persistent buffers, weights and the KV cache, are there for the whole pass, so that a byte of one
takes the room of a byte in every layer. The working set (membrane potentials, spikes, activations)
of a layer is there while that layer runs, so that a byte of room serves all layers in turn.

By need, room goes byte by byte to whatever uses it most often in a pass: this is the fractional
knapsack, whose order does not depend on how much room there is. So more capacity moves bytes to a
nearer level and never back, and the bill is continuous in all sizes.

In fixed order (the rule of versions before 0.2), weights come first, then the cache, then the
layer that runs, each buffer as a whole: what does not fit goes to the next level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwmodels import Buffer, HardwareProfile, Room

#: In the order in which room is given away in fixed order.
BUFFERS = (Buffer.WEIGHTS, Buffer.KV_CACHE, Buffer.STATE, Buffer.SPIKES, Buffer.ACTIVATIONS)
PERSISTENT = 2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """What each buffer holds, and how often it is used; one row per layer, a column per buffer."""

    bytes: Floats  #: bytes that the layer holds of it during a call
    moved: Floats  #: bytes that the layer reads and writes of it in a call
    copies: Floats  #: places of the model at which a row stands, (layers,)
    #: the first row of each model, where they are those of several, each alone on its machine
    starts: tuple[int, ...] = (0,)

    @property
    def whole(self) -> Floats:
        """Bytes of the buffer that a byte is in: of persistent ones, that of the whole model."""
        if len(self.starts) > 1:
            return np.concatenate([model.whole for model in self.models()])
        whole = self.bytes.copy()
        whole[:, :PERSISTENT] = self.copies @ self.bytes[:, :PERSISTENT]
        return whole

    def models(self) -> Iterator[Held]:
        """What each of them holds."""
        for start, end in zip(self.starts, (*self.starts[1:], None), strict=True):
            rows = slice(start, end)
            yield Held(self.bytes[rows], self.moved[rows], self.copies[rows])


def place(held: Held, profile: HardwareProfile) -> Floats:
    """Share of each buffer of each layer in each level, (levels, layers, buffers).

    Levels are in the order of `profile.memory`. Shares sum to 1 where the profile places the
    buffer, and are 0 elsewhere.
    """
    names = list(profile.memory)
    lists = [[names.index(x) for x in profile.placement.get(buffer, ())] for buffer in BUFFERS]
    rooms = [
        np.inf if level.capacity_bytes is None else float(level.capacity_bytes)
        for level in profile.memory.values()
    ]
    if profile.room is Room.FIXED_ORDER:
        placed = [_place_whole(model, lists, rooms) for model in held.models()]
    else:
        order = _nearest_first(lists)
        placed = [_place_by_need(model, lists, rooms, order) for model in held.models()]
    return np.concatenate(placed, axis=1)


def _place_by_need(
    held: Held, lists: list[list[int]], rooms: list[float], order: list[int]
) -> Floats:
    """Shares of one model, byte by byte."""
    shares = np.zeros((len(rooms), *held.bytes.shape))
    waiting = held.bytes.copy()
    for level in order:
        wants = np.array([level in levels for levels in lists])
        last = np.array([bool(levels) and level == levels[-1] for levels in lists])
        asked = waiting * wants
        taken = np.where(last, asked, _fill(asked, held, rooms[level]))
        waiting -= taken
        shares[level] += np.divide(taken, held.bytes, out=np.zeros_like(taken), where=taken > 0)
    for column, levels in enumerate(lists):  # a buffer that holds nothing lives nearest
        if levels:
            shares[levels[0], held.bytes[:, column] == 0, column] = 1
    return shares


def _nearest_first(lists: list[list[int]]) -> list[int]:
    """Levels so that each stands behind those that a buffer asks before it, others as listed."""
    order: list[int] = []
    while left := sorted({level for levels in lists for level in levels}.difference(order)):
        free = [
            level
            for level in left
            if all(
                {*levels[: levels.index(level)]} <= {*order} for levels in lists if level in levels
            )
        ]
        order.append((free or left)[0])  # two buffers may ask for two levels in both orders
    return order


def _fill(asked: Floats, held: Held, room: float) -> Floats:
    """Bytes that get a place in a level, of those that ask for one."""
    if not np.isfinite(room):
        return asked
    with np.errstate(divide="ignore", invalid="ignore"):
        uses = np.where(held.bytes > 0, held.moved / held.bytes, 0.0)
    working, of_working = asked[:, PERSISTENT:], uses[:, PERSISTENT:]
    order = np.argsort(-of_working, axis=1, kind="stable")
    in_order = np.arange(len(order))[:, None], order
    sizes = working[in_order]
    ends = np.cumsum(sizes, axis=1)
    starts = ends - sizes
    # A byte at some depth of the working sets is used by every layer that reaches so deep.
    height = of_working[in_order] * held.copies[:, None]
    at = np.concatenate([starts.ravel(), ends.ravel()])
    change = np.concatenate([height.ravel(), -height.ravel()])
    steps = np.argsort(at, kind="stable")
    depth, worth = at[steps], np.cumsum(change[steps])
    lengths = np.diff(depth, append=depth[-1:])
    lasting = asked[:, :PERSISTENT].ravel()
    copies = np.repeat(held.copies, PERSISTENT)
    all_lengths = np.concatenate([lengths, lasting * copies])
    all_worths = np.concatenate([worth, uses[:, :PERSISTENT].ravel()])
    ranked = np.argsort(-all_worths, kind="stable")
    before = np.cumsum(all_lengths[ranked]) - all_lengths[ranked]
    got = np.empty_like(all_lengths)
    got[ranked] = np.clip(room - before, 0, all_lengths[ranked])
    deep, stored = got[: len(lengths)].sum(), got[len(lengths) :]
    taken = np.empty_like(asked)
    taken[:, PERSISTENT:][in_order] = np.clip(deep - starts, 0, sizes)
    taken[:, :PERSISTENT] = (stored / np.maximum(copies, 1)).reshape(-1, PERSISTENT)
    return taken


def _place_whole(held: Held, lists: list[list[int]], rooms: list[float]) -> Floats:
    """The fixed order: each buffer in the first level that has room for it, or in the last."""
    sizes = held.whole
    shares = np.zeros((len(rooms), *sizes.shape))
    room = [np.full(len(sizes), most) for most in rooms]
    for column, levels in enumerate(lists):
        waiting = np.ones(len(sizes), dtype=bool)
        for level in levels:
            here = waiting & (sizes[:, column] <= room[level])
            if level == levels[-1]:
                here = waiting
            shares[level, here, column] = 1
            room[level] = np.where(here, room[level] - sizes[:, column], room[level])
            waiting = waiting & ~here
    return shares
