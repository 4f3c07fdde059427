"""Which model a server runs: of a plan, or described by its sizes. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hwmodels.errors import UserError
from hwmodels.machine import Operand
from hwmodels.plain import quoted, several
from neurt.closed_form.passes import decode
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.serving import BITS, PlannedModel, Served
from neurt.families import Head, Shape
from neurt.families.parameters import parameters
from neurt.loading.sizes import resolve_sizes
from neurt.loading.source import ModelSource
from neurt.measure.planning import CLOSED_FORM, known_shape
from neurt.measure.widths import StoredWidths, stored_widths

#: Bits of a weight by number format; None where only a configuration says of which matrices.
FORMATS: dict[str, float | None] = {
    **dict.fromkeys(("bfloat16", "bf16", "float16", "fp16"), 16),
    **dict.fromkeys(("fp8", "float8", "int8"), 8),
    **dict.fromkeys(("mxfp4", "nvfp4", "int4", "awq", "gptq"), None),
}
_KNOWN = f"known are {', '.join(FORMATS)}"


class FormatError(UserError, ValueError):
    """A number format of weights that is not known, or not that of the checkpoint."""


class GenerationError(UserError, ValueError):
    """A model that gives labels where answers were asked for."""


class ServedModel(NamedTuple):
    """A model, and what is known of it."""

    name: str
    served: Served
    architecture: str  #: models that share it are no witnesses for each other
    heads: int  #: of attention, which GPUs share
    kv_heads: int  #: cached ones
    active: float | None = None  #: parameters that a token passes
    total: float | None = None  #: all of them
    #: its sizes, where its layers are planned, and where it comes from
    shape: Shape | None = None
    source: ModelSource | None = None
    stored: StoredWidths | None = None
    narrowest: float = BITS  #: bits of its narrowest weights

    def is_shared_by(self, gpus: int) -> bool:
        """Whether each GPU gets as many heads; cached ones may be there several times."""
        cached = self.kv_heads % gpus == 0 or gpus % self.kv_heads == 0
        return self.heads % gpus == 0 and cached

    def check_gpus(self, gpus: int, flag: str, error: type[UserError]) -> None:
        """Raise `error` if the heads cannot be shared; `flag` is what to change."""
        if self.is_shared_by(gpus):
            return
        known = [str(n) for n in range(1, min(self.heads, 64) + 1) if self.is_shared_by(n)]
        others = f"give {flag} {', '.join(known)}" if len(known) > 1 else f"leave out {flag}"
        raise error(
            f"{gpus} GPUs cannot share the {several(self.heads, 'head')} ({self.kv_heads} "
            f"cached) of '{self.name}'; {others}"
        )


def served_model(
    model: str, widths: Mapping[Operand, float] | None = None, precision: str = ""
) -> ServedModel:
    """The model of a name, a hub id or a path, with weights as its checkpoint has them.

    Args:
        model: As after `--model`.
        widths: Bits that replace those of the checkpoint.
        precision: Number format of its weights, as tables say it; empty for that of the checkpoint,
            or 16 bits.

    Raises:
        UserError: If the model is not known, or has another number format.
        GenerationError: If it labels a text and answers with none.
    """
    source = resolve_sizes(model)
    shape = known_shape(source)
    if shape.head is not Head.TOKENS:
        raise GenerationError(
            f"model '{source.name}' gives {several(shape.labels, 'label')} and generates no "
            "tokens, so that it has no energy per token of an answer; plan its pass over a text "
            "with --seq-len on prices of operations, such as --hw 45nm"
        )
    stored = stored_widths(source, CLOSED_FORM, widths or {})
    served = _served(source, shape, stored, precision)
    count = parameters(shape)
    return ServedModel(
        source.name,
        served,
        shape.model_type,
        shape.heads,
        shape.kv_heads,
        count.active,
        count.total,
        shape,
        source,
        stored,
        _narrowest(stored, shape, served.weight_bits),
    )


def _format(precision: str) -> float | None:
    word = precision.casefold()
    if word and word not in FORMATS:
        raise FormatError(f"number format {quoted(precision)} is not known; {_KNOWN}")
    return FORMATS.get(word)


def _served(
    source: ModelSource, shape: Shape, stored: StoredWidths, precision: str
) -> PlannedModel:
    said, cache = _format(precision), stored.flags.get("kv", stored.checkpoint.kv or BITS)
    own = _narrowest(stored, shape, BITS)
    if own < BITS:  # the checkpoint says which of its matrices are narrow
        if said == BITS:
            raise FormatError(
                f"model '{source.name}' is said to be in {precision}, but its config.json says how "
                "it is quantised; take that out of a copy of it, or correct the table"
            )
        return PlannedModel(shape, stored.rows, cache_bits=cache)
    if precision and said is None:
        raise FormatError(
            f"model '{source.name}' is said to be in {precision}, but its config.json does not say "
            "so; give one with its 'quantization_config'"
        )
    bits = stored.flags.get("weights", said or BITS)
    if bits == BITS:
        return PlannedModel(shape, stored.rows, cache_bits=cache)
    return PlannedModel(shape, weight_bits=bits, cache_bits=cache)


def _narrowest(stored: StoredWidths, shape: Shape, others: float) -> float:
    """Bits of the narrowest weights; those of which the checkpoint says nothing have `others`."""
    rows = stored.rows(plan_asa(shape, decode(1))).layers
    return min(min(row.weight_bits or others for row in rows), others)
