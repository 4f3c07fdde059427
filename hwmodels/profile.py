"""A hardware profile: what each operation costs on one piece of hardware, and who says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwmodels.dataflow import Dataflow
from hwmodels.errors import UserError
from hwmodels.ops import Buffer, Op
from hwmodels.plain import MAX_SENTENCE, printable, shortened
from hwmodels.prices import (
    ByteWidth,
    Core,
    MemoryLevel,
    Name,
    Nanometre,
    Price,
    Record,
    Sentence,
    StaticPower,
    SystemFigure,
    Throughput,
    Word,
)


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
        value_bytes: Width of one analog value in bytes; memory traffic is rescaled to it.
        scope: `per_term` prices operations one by one; `all_in` is chip power over events, with
            leakage, neurons and routing inside, and forbids further terms.
        prices: Price of each operation that is not memory traffic.
        memory: Memory levels by name.
        placement: The levels each buffer may live in, nearest first: it lives in the first that
            it fits in, and in the last where it fits in none.
        dataflow: How often what was counted once per call moves through memory.
        included: Operations paid for by another price, each with the reason.
        static_power: Static power of the chip; None where unknown.
        throughput: Operations per second of the whole chip, from which latency, and with it
            static energy, follows.
        core: What one core holds; with it and a price of `spike_hop`, spikes are routed.
        system: Measured figures of a whole system, for comparison.
        assumptions: What a reader must accept to use the numbers, one sentence each.
    """

    name: Name
    title: Sentence
    process_nm: Nanometre | None = None
    precision: Word
    value_bytes: ByteWidth
    scope: Literal["per_term", "all_in"] = "per_term"
    prices: dict[Op, Price]
    memory: dict[Word, MemoryLevel] = Field(default_factory=dict)
    placement: dict[Buffer, tuple[Word, ...]] = Field(default_factory=dict)
    dataflow: Dataflow = Dataflow.LAYERWISE
    included: dict[Op, Sentence] = Field(default_factory=dict)
    static_power: StaticPower | None = None
    throughput: dict[Op, Throughput] = Field(default_factory=dict)
    core: Core | None = None
    system: tuple[SystemFigure, ...] = ()
    assumptions: tuple[Sentence, ...] = ()

    @field_validator("placement", mode="before")
    @classmethod
    def _one_level_is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: [v] if isinstance(v, str) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _keys_fit_each_other(self) -> HardwareProfile:
        if faults := [*self._misplaced(), *self._paid_twice()]:
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
        for buffer, levels in self.placement.items():
            for level in levels or ("",):
                if level not in self.memory:
                    known = ", ".join(self.memory) or "none"
                    yield (
                        f"placement.{buffer} names the memory level '{level}', but the levels "
                        f"are: {known}"
                    )

    def _paid_twice(self) -> Iterator[str]:
        """What two prices pay for."""
        for op in self.included:
            if op in self.prices or op.buffer in self.placement:
                yield f"included.{op} is priced as well: keep one of the two"
        prices = [] if len(self.prices) == 1 else [f"{len(self.prices)} prices"]
        terms = ("memory", "placement", "static_power", "core")
        further = prices + [term for term in terms if getattr(self, term)]
        if self.scope == "all_in" and further:
            yield (
                "an all_in profile has one price with everything inside it, but here are "
                f"{', '.join(further)}: name what the price pays for in `included`, or use "
                'scope = "per_term"'
            )

    def is_priced(self, op: Op) -> bool:
        """Whether the operation is priced here or included in another price."""
        return op in self.prices or op in self.included or op.buffer in self.placement

    def energy_pj(self, op: Op) -> float | None:
        """Energy of one operation that is not memory traffic, in picojoules.

        The price of traffic depends on where the buffer fits; see `energy.bill.placement`.

        Returns:
            The price; 0.0 where another price includes it; None where it is unpriced.
        """
        if op in self.prices:
            return self.prices[op].pj
        return 0.0 if op in self.included else None
