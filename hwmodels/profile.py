"""A hardware profile: what each operation costs on one piece of hardware, and who says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwmodels.dataflow import Dataflow
from hwmodels.each import check_units
from hwmodels.errors import UserError
from hwmodels.machine import Delivery, Encoding, Fusion, Room, Widths
from hwmodels.ops import Buffer, Op
from hwmodels.plain import MAX_SENTENCE, printable, shortened
from hwmodels.prices import (
    Bandwidth,
    ByteWidth,
    Core,
    MemoryLevel,
    Name,
    Nanometre,
    Price,
    Record,
    Sentence,
    StaticPower,
    Throughput,
    Word,
)
from hwmodels.systems import SystemFigure
from hwmodels.wholechip import WholeChip


class ProfileError(UserError, ValueError):
    """A hardware profile that cannot be found or read.

    Attributes:
        faults: Everything that is wrong with it, where the sentence says only the first.
    """

    def __init__(
        self,
        sentence: str,
        faults: Sequence[str] = (),
        *,
        details: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        # Names of profiles and files are of others; all of them come through here.
        super().__init__(shortened(printable(sentence), MAX_SENTENCE))
        self.faults = tuple(faults) or (str(self),)
        self.details = details


class HardwareProfile(Record):
    """The price list of one piece of hardware.

    An operation is *priced* (here, or through the memory level its buffer is placed in),
    *included* (its energy is inside another price, which the reason names), or *unpriced*.
    Unpriced is reported, never taken for zero.

    Attributes:
        name: Short name, as typed after `--hw`.
        title: One line for tables and pictures.
        process_nm: Technology node in nanometres; None where several or unknown.
        precision: Number format of the arithmetic, for example `fp32`.
        value_bytes: Width of the arithmetic in bytes, and of every operand without one in `widths`.
        widths: Bits of operands that are stored in another width.
        scope: `per_term` prices operations one by one; `all_in` is chip power over events, with
            leakage, neurons and routing inside, and forbids further terms; `whole_chip` prices a
            server of language models, and no operation.
        prices: Price of each operation that is not memory traffic.
        memory: Memory levels by name.
        placement: The levels each buffer may live in, nearest first: it lives in the first that
            it fits in, and in the last where it fits in none.
        room: Who gets the room on the chip.
        dataflow: How often what was counted once per call moves through memory.
        fusion: What moves between the products of a model.
        encoding: How spikes lie in memory.
        delivery: The buffer beside the adders; None where a fetch from it is in the prices.
        included: Operations paid for by another price, each with the reason.
        static_power: Static power of the chip; None where unknown.
        throughput: Operations per second of the whole chip; latency, static energy follow.
        bandwidth: How fast memory levels are; with `throughput` it bounds the latency.
        core: What one core holds; with it and a price of `spike_hop`, spikes are routed.
        system: Measured figures of a whole system, for comparison.
        whole_chip: Prices of the scope `whole_chip`; None in the others.
        assumptions: What a reader must accept to use the numbers, one sentence each.
    """

    name: Name
    title: Sentence
    process_nm: Nanometre | None = None
    precision: Word
    value_bytes: ByteWidth
    widths: Widths = Widths()
    scope: Literal["per_term", "all_in", "whole_chip"] = "per_term"
    prices: dict[Op, Price]
    memory: dict[Word, MemoryLevel] = Field(default_factory=dict)
    placement: dict[Buffer, tuple[Word, ...]] = Field(default_factory=dict)
    room: Room = Room.BY_NEED
    dataflow: Dataflow = Dataflow.LAYERWISE
    fusion: Fusion = Fusion.UNFUSED
    encoding: Encoding = Encoding.CHEAPEST
    delivery: Delivery | None = None
    included: dict[Op, Sentence] = Field(default_factory=dict)
    static_power: StaticPower | None = None
    throughput: dict[Op, Throughput] = Field(default_factory=dict)
    bandwidth: dict[Word, Bandwidth] = Field(default_factory=dict)
    core: Core | None = None
    system: tuple[SystemFigure, ...] = ()
    whole_chip: WholeChip | None = None
    assumptions: tuple[Sentence, ...] = ()

    @field_validator("placement", mode="before")
    @classmethod
    def _one_level_is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: [v] if isinstance(v, str) else v for k, v in value.items()}

    _units_fit_their_keys = model_validator(mode="before")(check_units)

    @model_validator(mode="after")
    def _keys_fit_each_other(self) -> HardwareProfile:
        if faults := [*self._misplaced(), *self._paid_twice(), *self._mixed()]:
            raise ValueError("\n".join(faults))
        return self

    def _misplaced(self) -> Iterator[str]:
        """What stands where it cannot."""
        for op in self.prices:
            if op.buffer is not None:
                yield (
                    f"prices.{op} is memory traffic: give its energy per byte in a memory level "
                    f"and place '{op.buffer}' there"
                )
        for where in ("prices", "included", "throughput"):
            if Op.DELIVERY in getattr(self, where):
                yield (
                    f"{where}.{Op.DELIVERY} is a fetch beside the adders: give its energy per "
                    "byte, and its reuse, in 'delivery'"
                )
        for buffer, levels in self.placement.items():
            for level in levels or ("",):
                if level not in self.memory:
                    known = ", ".join(self.memory) or "none"
                    yield (
                        f"placement.{buffer} names the memory level '{level}', but the levels "
                        f"are: {known}"
                    )
        for level in self.bandwidth:
            if level not in self.memory:
                known = ", ".join(self.memory) or "none"
                yield f"bandwidth.{level} is of no memory level; the levels are: {known}"
        for op in self.throughput:
            if op.buffer is not None:
                yield (
                    f"throughput.{op} is memory traffic: give the bytes per second of a memory "
                    "level in 'bandwidth'"
                )
        if self.too_wide:
            yield f"widths: {self.too_wide}"

    def _paid_twice(self) -> Iterator[str]:
        """What two prices pay for."""
        for op in self.included:
            if op in self.prices or op.buffer in self.placement:
                yield f"included.{op} is priced as well: keep one of the two"
        prices = [] if len(self.prices) == 1 else [f"{len(self.prices)} prices"]
        terms = ("memory", "placement", "static_power", "core", "delivery")
        further = prices + [term for term in terms if getattr(self, term)]
        if self.scope == "all_in" and further:
            yield (
                "an all_in profile has one price with everything inside it, but here are "
                f"{', '.join(further)}: name what the price pays for in `included`, or use "
                'scope = "per_term"'
            )

    def _mixed(self) -> Iterator[str]:
        """What prices a whole chip, and stands beside what does not."""
        whole = self.scope == "whole_chip"
        if whole != (self.whole_chip is not None):
            yield 'a profile of scope = "whole_chip" has a table [whole_chip], and no other has one'
        terms = ("prices", "included", "memory", "placement", "static_power", "throughput")
        beside = [x for x in (*terms, "bandwidth", "core", "delivery") if getattr(self, x)]
        if whole and beside:
            yield (
                "the prices of a whole chip have static power, memory and control in them, so that "
                f"{', '.join(beside)} would be paid twice; take one of the two out"
            )

    @property
    def own_bits(self) -> float:
        """Width of its arithmetic in bits."""
        return 8 * self.value_bytes

    @property
    def too_wide(self) -> str:
        """Why its arithmetic cannot take an operand as wide as `widths` says; else empty.

        A narrower operand is widened on its way; a wider one would need the unit, and the price,
        of another precision.
        """
        own = self.own_bits
        for operand in ("weights", "activations", "kv"):
            if (bits := getattr(self.widths, operand)) is not None and bits > own:
                return (
                    f"{operand} of {bits:g} bits do not fit the arithmetic of '{self.name}', which "
                    f"takes {own:g}; take a profile of that precision"
                )
        return ""

    def width_bits(self, op: Op) -> float:
        """Bits of one value of what a traffic operation, or a delivery, moves."""
        return self.widths.of(op, self.own_bits)

    @property
    def prices_updates(self) -> bool:
        """Whether a neuron is charged by whole updates, and not by what they are made of.

        It is where an update has a price, and where nothing has that it is made of.
        """
        whole = Op.NEURON_UPDATE in self.prices or Op.NEURON_UPDATE in self.included
        return whole or not any(self.is_priced(op) for op in Op if op.alike)

    def is_priced(self, op: Op) -> bool:
        """Whether the operation is priced here or included in another price."""
        if op is Op.DELIVERY:
            return self.delivery is not None
        priced = self.priced_as(op)
        return priced in self.prices or priced in self.included or op.buffer in self.placement

    def priced_as(self, op: Op) -> Op:
        """The operation whose price it has: its own, or that of its like outside of neurons."""
        own = op in self.prices or op in self.included
        return op if own or op.alike is None else op.alike

    def energy_pj(self, op: Op) -> float | None:
        """Energy of one operation that is not memory traffic, in picojoules.

        The price of traffic depends on where the buffer fits; see `energy.bill.placement`.

        Returns:
            The price; 0.0 where another price includes it; None where it is unpriced.
        """
        priced = self.priced_as(op)
        if priced in self.prices:
            return self.prices[priced].pj
        return 0.0 if priced in self.included else None
