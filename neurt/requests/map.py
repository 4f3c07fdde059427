"""What may be asked of `map`. No torch."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from energy.formulas import Attention
from hwmodels import Dataflow
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.requests.base import (
    Capacity,
    Count,
    Flag,
    Forced,
    Output,
    PlannedConversion,
    RequestError,
    dated,
)
from neurt.requests.hardware import Bits, Executed
from neurt.spiking.config import SpikingConfig

_MIB = 1 << 20
#: Cells of one map at most: more are no picture.
MOST_CELLS = 10_000
#: Contexts unless others are asked for, of which those are left that the model has positions for.
CONTEXTS = (128, 512, 2048, 8192)

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class MapRequest(Output, Forced, Executed):
    """Over which batches, contexts, widths and sizes of SRAM the three models are compared."""

    group: ClassVar[str] = "grid"

    model: Annotated[
        str | None, Flag(default="gpt2-small, unless a run is given", group="model")
    ] = None
    """a model of which the sizes are known"""
    run: Annotated[Path | None, Flag("DIR", group="model")] = None
    """a directory of `profile` or `plan` instead of a model: its sizes, its conversion, and the
    activity of its last phase"""
    phase: Literal["decode", "prefill"] = "decode"
    """one new token through a cache, or whole sequences"""
    batches: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 4, 8, 16, 32, 64)
    """sequences side by side"""
    contexts: Annotated[
        tuple[Count, ...],
        Flag(default="128 512 2048 8192 up to the positions of the model, and these if fewer"),
    ] = ()
    """attended tokens in decode, the new one included; tokens of a sequence in prefill"""
    weight_bits: Annotated[
        tuple[Bits, ...], Flag("BITS", "4.5 8 16 32 up to the width of the arithmetic")
    ] = ()
    """bits of an entry of a weight matrix, with its share of scales"""
    sram: Annotated[
        tuple[Capacity, ...], Field(min_length=1), Flag("SIZE", "1MiB 24MiB 256MiB")
    ] = (_MIB, 24 * _MIB, 256 * _MIB)
    """capacities of the memory nearest to the weights, as 24MiB"""
    dataflow: Annotated[Dataflow | None, Flag(default="gathered")] = None
    """how often operands move"""
    attention: Attention = Attention.FULL
    """count all query-key pairs, or the causal half"""
    spiking: PlannedConversion = SpikingConfig()
    spike_rate: Annotated[Share, Flag("RATE", group="conversion")] = 0.2
    """spikes per slot, everywhere"""
    active_rate: Annotated[
        Share | None, Flag("RATE", "1 - (1 - spike rate)^T", group="conversion")
    ] = None
    """share of the values of a token that are not silent in all time steps, everywhere"""
    out: Annotated[Path, Flag("DIR", "runs/TIME-map")] = Field(default_factory=lambda: dated("map"))
    """output directory"""

    def passes(self, positions: int) -> list[Pass]:
        """The passes of the grid, for a model of that many positions."""
        fitting = [context for context in CONTEXTS if context <= positions]
        left = fitting if positions >= CONTEXTS[-1] else [*fitting, positions]
        one = decode if self.phase == "decode" else prefill
        grid = product(dict.fromkeys(self.batches), dict.fromkeys(self.contexts or left))
        return [one(context, batch=batch) for batch, context in grid]

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.model is not None and self.run is not None:
            raise RequestError("a --run has a model of its own; leave out --model, or --run")
        if "weights" in self.widths and self.weight_bits:
            raise RequestError(
                "--weight-bits are those of --widths weights too; leave out one of the two"
            )
        sizes = (self.batches, self.contexts or CONTEXTS, self.weight_bits or (0.0,) * 4, self.sram)
        cells = 1
        for values in sizes:
            cells *= len({*values})
        if cells > MOST_CELLS:
            raise RequestError(
                f"the grid has {cells:,} cells, and {MOST_CELLS:,} are the most; leave out some of "
                "--batches, --contexts, --weight-bits and --sram"
            )

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.run is not None:
            own = "a run has its own; give --model instead of --run"
            found |= dict.fromkeys((*SpikingConfig.model_fields, "spike_rate", "active_rate"), own)
        if self.phase == "decode":
            found["attention"] = "the one new token of decode sees all; give --phase prefill"
        return found
