"""Which model a server runs: of a plan, of Mamba-2 layers, or described by its sizes. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hwmodels.errors import UserError
from hwmodels.machine import Operand
from hwmodels.plain import quoted
from neurt.closed_form.hybrid import HYBRIDS, MODEL_TYPE, MambaHybrid, read_hybrid
from neurt.closed_form.passes import decode
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.serving import BITS, PlannedModel, Served
from neurt.families import Shape
from neurt.families.config import Config
from neurt.families.parameters import parameters
from neurt.loading.source import ModelSource, read_config, resolve
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


class ServedModel(NamedTuple):
    """A model, and what is known of it."""

    name: str
    served: Served
    architecture: str  #: models that share it are no witnesses for each other
    heads: int  #: of attention, which GPUs share
    kv_heads: int  #: cached ones
    positions: int | None = None  #: longest sequence; None where unknown
    active: float | None = None  #: parameters that a token passes
    total: float | None = None  #: all of them
    #: its sizes, where its layers are planned, and where it comes from
    shape: Shape | None = None
    source: ModelSource | None = None
    stored: StoredWidths | None = None


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
    """
    hybrid = _hybrid(model)
    if hybrid is not None:
        return _of_hybrid(model, hybrid, widths or {}, precision)
    source = resolve(model)
    shape = known_shape(source)
    stored = stored_widths(source, CLOSED_FORM, widths or {})
    served = _served(source, shape, stored, precision)
    count = parameters(shape)
    return ServedModel(
        source.name,
        served,
        shape.model_type,
        shape.heads,
        shape.kv_heads,
        shape.positions,
        count.active,
        count.total,
        shape,
        source,
        stored,
    )


def _hybrid(model: str) -> MambaHybrid | None:
    """The sizes of a model of Mamba-2 layers; None of any other."""
    if model in HYBRIDS:
        return HYBRIDS[model]
    path = Path(model)
    config = path if path.name == "config.json" else path / "config.json"
    try:
        there = bool(model) and config.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    if not there:
        return None
    content = read_config(config)
    if content.get("model_type") != MODEL_TYPE:
        return None
    return read_hybrid(Config(content, model))


def _of_hybrid(
    model: str, hybrid: MambaHybrid, widths: Mapping[Operand, float], precision: str
) -> ServedModel:
    if precision and _format(precision) is None:
        raise FormatError(
            f"model '{model}' is said to be in {precision}; of a model of Mamba-2 layers only one "
            "number format of all weights is known here"
        )
    bits = widths.get("weights", _format(precision) or BITS)
    name = Path(model).resolve().parent.name if Path(model).name == "config.json" else model
    return ServedModel(
        name,
        hybrid.served(bits, widths.get("kv", BITS)),
        MODEL_TYPE,
        hybrid.heads,
        hybrid.kv_heads,
        active=hybrid.weights,
        total=hybrid.parameters,
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
    own = min(x.weight_bits or BITS for x in stored.rows(plan_asa(shape, decode(1))).layers)
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
