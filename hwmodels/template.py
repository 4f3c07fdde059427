"""The text of a new profile: every key of the schema, explained, for the user to fill in."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError

from hwmodels.machine import Encoding, Fusion, Room
from hwmodels.ops import Buffer, Op
from hwmodels.plain import quoted
from hwmodels.prices import Evidence, Name
from hwmodels.profile import HardwareProfile, ProfileError
from hwmodels.systems import Boundary
from hwmodels.template_text import EXTENDING, SCHEMA_FILE, WHOLE

#: Operations that have a price of their own: traffic and fetches are charged by the byte.
PRICED = [op for op in Op if op.buffer is None and op is not Op.DELIVERY]


def template(name: str) -> str:
    """A valid profile with placeholders for numbers, and all further keys commented out.

    Raises:
        ProfileError: If the name cannot be the name of a file.
    """
    words = {
        "schema": SCHEMA_FILE,
        "name": _checked(name),
        "operations": _listed(f"{op:<14} {op.definition}" for op in PRICED),
        "buffers": _listed(f"{b:<14} {_traffic(b)}" for b in Buffer),
        "fusions": _listed(f"{way:<14} {way.definition}" for way in Fusion),
        "encodings": _listed(f"{way:<14} {way.definition}" for way in Encoding),
        "rooms": _listed(f"{way:<14} {way.definition}" for way in Room),
        "grades": _listed(f"{grade:<14} {grade.definition}" for grade in Evidence),
        "boundaries": _listed(f"{it:<14} {it.definition}" for it in Boundary),
    }
    return WHOLE.format(**words)


def extension_template(name: str, reference: str, parent: HardwareProfile) -> str:
    """A valid profile that starts from `parent` and overrides one price.

    `reference` is what the file extends: a name, or a path from where the file will be.

    Raises:
        ProfileError: If the parent has no price of an operation to override, but those of a chip.
    """
    if parent.whole_chip is not None:
        raise ProfileError(
            f"'{parent.name}' has the prices of a whole chip, which belong together; fit those of "
            "yours with `neurt-energy hw fit`"
        )
    op = next((op for op in (Op.MAC, Op.AC) if op in parent.prices), Op.AC)
    before = parent.prices.get(op)
    words = {
        "schema": SCHEMA_FILE,
        "name": _checked(name),
        "parent": reference,
        "reference": _quoted(reference),
        "title": _quoted(f"{name}, from {parent.name}"),
        "op": op,
        "definition": op.definition,
        "before": "without a price" if before is None else f"{before.pj:g} pJ",
        "pj": 1.0 if before is None else before.pj,
    }
    return EXTENDING.format(**words)


def _checked(name: str) -> str:
    if not name.isprintable():  # lines of a text are joined, but this becomes the name of a file
        raise ProfileError(f"{quoted(name)} cannot be the name of a profile: it has several lines")
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        rule = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ProfileError(f"{quoted(name)} cannot be the name of a profile: {rule}") from error


def _quoted(text: str) -> str:
    # A TOML string of the kind that may hold anything.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"#   {line}" for line in lines)


def _traffic(buffer: Buffer) -> str:
    return ", ".join(op for op in Op if op.buffer is buffer)
