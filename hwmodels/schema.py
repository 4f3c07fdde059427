"""The JSON Schema of a TOML file of hardware, for editors that complete and check."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hwmodels.ops import Buffer, Op
from hwmodels.profile import HardwareProfile

#: The dialect that pydantic writes, and a name for the schema, which is to be had from the command
#: line and nowhere else.
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:neurt-energy:hardware-profile"


def file_schema() -> dict[str, Any]:
    """The schema of a file: that of a profile, and the keys by which files are composed.

    A file that extends another may leave out any key of the profile; whether the composed profile
    is whole, only loading it tells.
    """
    schema = HardwareProfile.model_json_schema()
    required = schema.pop("required")
    properties: dict[str, Any] = schema["properties"]
    levels = properties["placement"]["additionalProperties"]
    properties["placement"]["additionalProperties"] = {"anyOf": [{"type": "string"}, levels]}
    properties["unpriced"] = {
        "description": "Operations and buffers whose price is taken out.",
        "type": "array",
        "items": {"enum": [*map(str, Op), *map(str, Buffer)]},
    }
    part = {"type": "object", "additionalProperties": False, "properties": deepcopy(properties)}
    properties["extends"] = {
        "description": "A profile to start from: a name, or the path of a .toml file from here.",
        "type": "string",
    }
    properties["precisions"] = {
        "description": "Partial profiles that change this one, by precision.",
        "type": "object",
        "additionalProperties": part,
    }
    head = {"$schema": DIALECT, "$id": SCHEMA_ID}
    return head | schema | {"anyOf": [{"required": required}, {"required": ["extends"]}]}
