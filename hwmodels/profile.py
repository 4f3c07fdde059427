"""A hardware profile: what each operation costs on one piece of hardware, and who says so."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hwmodels.ops import Buffer, Op

Picojoule = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Sentence = Annotated[str, Field(min_length=1)]


class Evidence(StrEnum):
    """How the source obtained a number; see the definition of each grade."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    DERIVED = "derived"
    PROJECTED = "projected"
    UNVERIFIED = "unverified"

    @property
    def definition(self) -> str:
        """What the grade claims, in one sentence."""
        return {
            Evidence.MEASURED: "measured on silicon",
            Evidence.SIMULATED: "from circuit or gate-level simulation",
            Evidence.DERIVED: "arithmetic on other numbers that are cited",
            Evidence.PROJECTED: "an estimate of the source, method not stated",
            Evidence.UNVERIFIED: "not read at the source by this project",
        }[self]


class _Record(BaseModel):
    """Frozen, and an unknown key is an error: a misspelt price must not become an unpriced one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Record):
    """The energy of one operation.

    Attributes:
        pj: Energy of one operation in picojoules.
        source: Citation with table or figure.
        evidence: How the source obtained the number.
        note: What a reader must know to use it.
    """

    pj: Picojoule
    source: Sentence
    evidence: Evidence
    note: str = ""


class MemoryLevel(_Record):
    """One level of memory.

    Attributes:
        read_pj_per_byte: Energy to read one byte, in picojoules.
        write_pj_per_byte: Energy to write one byte, in picojoules.
        capacity_bytes: Size of one instance; None where it is not a limit (DRAM).
        source: Citation with table or figure.
        evidence: How the source obtained the number.
        note: What a reader must know to use it.
    """

    read_pj_per_byte: Picojoule
    write_pj_per_byte: Picojoule
    capacity_bytes: Annotated[int, Field(gt=0)] | None = None
    source: Sentence
    evidence: Evidence
    note: str = ""


class StaticPower(_Record):
    """What the chip draws when nothing happens.

    Attributes:
        watts: Power in watts.
        source: Citation with table or figure.
        evidence: How the source obtained the number.
        note: What a reader must know to use it.
    """

    watts: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    source: Sentence
    evidence: Evidence
    note: str = ""


class HardwareProfile(_Record):
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
        placement: Which level each buffer lives in.
        included: Operations paid for by another price, each with the reason.
        static_power: Static power of the chip; None where unknown.
        assumptions: What a reader must accept to use the numbers, one sentence each.
    """

    name: Sentence
    title: Sentence
    process_nm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    precision: Sentence
    value_bytes: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    scope: Literal["per_term", "all_in"] = "per_term"
    prices: dict[Op, Price]
    memory: dict[str, MemoryLevel] = Field(default_factory=dict)
    placement: dict[Buffer, str] = Field(default_factory=dict)
    included: dict[Op, Sentence] = Field(default_factory=dict)
    static_power: StaticPower | None = None
    assumptions: tuple[Sentence, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> HardwareProfile:
        for op in self.prices:
            if op.buffer is not None:
                raise ValueError(
                    f"prices.{op} is memory traffic: give its energy per byte in a memory level "
                    f"and place '{op.buffer}' there"
                )
        for buffer, level in self.placement.items():
            if level not in self.memory:
                known = ", ".join(self.memory) or "none"
                raise ValueError(
                    f"placement.{buffer} names the memory level '{level}', but the levels are: "
                    f"{known}"
                )
        for op in self.included:
            if op in self.prices or (op.buffer is not None and op.buffer in self.placement):
                raise ValueError(f"included.{op} is priced as well: keep one of the two")
        if self.scope == "all_in":
            extra = [k for k in ("memory", "placement", "static_power") if getattr(self, k)]
            if len(self.prices) != 1 or extra:
                raise ValueError(
                    "an all_in profile has one price with everything inside it; move "
                    f"{', '.join(extra) or 'the other prices'} to `included` or use scope "
                    '= "per_term"'
                )
        return self

    def energy_pj(self, op: Op) -> float | None:
        """Energy of one `op` in picojoules (per byte for traffic).

        Returns:
            The price; 0.0 where another price includes it; None where it is unpriced.
        """
        if op in self.prices:
            return self.prices[op].pj
        if op in self.included:
            return 0.0
        level = self.memory.get(self.placement.get(op.buffer, "")) if op.buffer else None
        if level is None:
            return None
        return level.read_pj_per_byte if op.is_read else level.write_pj_per_byte
