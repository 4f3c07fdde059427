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

from dataclasses import dataclass
from typing import NamedTuple

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
    def models(self) -> list[slice]:
        """The rows of each model."""
        ends = (*self.starts[1:], len(self.bytes))
        return [slice(start, end) for start, end in zip(self.starts, ends, strict=True)]

    @property
    def whole(self) -> Floats:
        """Bytes of the buffer that a byte is in: of persistent ones, that of the whole model."""
        whole = self.bytes.copy()
        for rows in self.models:
            whole[rows, :PERSISTENT] = self.copies[rows] @ self.bytes[rows, :PERSISTENT]
        return whole


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
        return _place_whole(held, lists, rooms)
    shares = np.zeros((len(rooms), *held.bytes.shape))
    waiting = held.bytes.copy()
    for level in _nearest_first(lists):
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
    taken, deep = np.empty_like(asked), np.empty((len(asked), 1))
    for rows in held.models:
        ends_here = np.concatenate([starts[rows].ravel(), ends[rows].ravel()])
        change = np.concatenate([height[rows].ravel(), -height[rows].ravel()])
        lasting = _Lasting(asked[rows, :PERSISTENT], uses[rows, :PERSISTENT], held.copies[rows])
        deep[rows], taken[rows, :PERSISTENT] = _knapsack(ends_here, change, lasting, room)
    taken[:, PERSISTENT:][in_order] = np.clip(deep - starts, 0, sizes)
    return taken


class _Lasting(NamedTuple):
    """Bytes of persistent buffers that ask for room, per layer and buffer."""

    asked: Floats
    uses: Floats  #: of each byte in a call
    copies: Floats  #: places at which a layer stands


def _knapsack(at: Floats, change: Floats, lasting: _Lasting, room: float) -> tuple[float, Floats]:
    """How deep the working sets of a model reach into a level, and what else gets a place in it.

    Args:
        at: Depths at which the use of a byte of the working sets changes.
        change: By how much.
        lasting: What else asks for room.
        room: Bytes.
    """
    steps = np.argsort(at, kind="stable")
    depth, worth = at[steps], np.cumsum(change[steps])
    lengths = np.diff(depth, append=depth[-1:])
    copies = np.repeat(lasting.copies, PERSISTENT)
    all_lengths = np.concatenate([lengths, lasting.asked.ravel() * copies])
    all_worths = np.concatenate([worth, lasting.uses.ravel()])
    ranked = np.argsort(-all_worths, kind="stable")
    before = np.cumsum(all_lengths[ranked]) - all_lengths[ranked]
    got = np.empty_like(all_lengths)
    got[ranked] = np.clip(room - before, 0, all_lengths[ranked])
    stored = got[len(lengths) :] / np.maximum(copies, 1)
    return float(got[: len(lengths)].sum()), stored.reshape(-1, PERSISTENT)


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
