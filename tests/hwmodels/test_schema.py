from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from hwmodels import load_profile
from hwmodels.schema import DIALECT, SCHEMA_ID, file_schema
from hwmodels.template import extension_template, template

CITED = {"source": "a bench", "evidence": "measured"}
MINIMAL: dict[str, Any] = {
    "name": "mine",
    "title": "A chip",
    "precision": "fp32",
    "value_bytes": 4,
    "prices": {"mac": {"pj": "0.9 pJ", **CITED}},
}
BUILTIN = [entry for entry in files("hwmodels.builtin").iterdir() if entry.name.endswith(".toml")]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(json.dumps(file_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("entry", BUILTIN, ids=lambda entry: entry.name)
def test_every_builtin_file_follows_it(validator: Any, entry: Any) -> None:
    validator.validate(tomllib.loads(entry.read_text(encoding="utf-8")))


def test_it_says_its_dialect_and_its_name() -> None:
    head = list(file_schema().items())[:2]
    assert head == [("$schema", DIALECT), ("$id", SCHEMA_ID)]
    assert jsonschema.Draft202012Validator.META_SCHEMA["$id"] == DIALECT


@pytest.mark.parametrize("extends", [False, True])
def test_the_templates_point_editors_to_it(extends: bool) -> None:
    text = extension_template("a", "45nm", load_profile("45nm")) if extends else template("a")
    # Taplo reads the directive in a comment at the head of a file, relative to it.
    assert text.splitlines()[0] == "#:schema ./hardware.schema.json"


def test_the_templates_follow_it(validator: Any) -> None:
    validator.validate(tomllib.loads(template("mine")))
    text = extension_template("mine", "45nm", load_profile("45nm"))
    validator.validate(tomllib.loads(text))


@pytest.mark.parametrize(
    "table",
    [
        MINIMAL,
        {"extends": "45nm"},
        {"extends": "45nm", "unpriced": ["exp", "kv_cache"]},
        MINIMAL | {"precisions": {"int8": {"value_bytes": "1 byte", "unpriced": ["mac"]}}},
    ],
)
def test_files_that_are_valid(validator: Any, table: dict[str, Any]) -> None:
    validator.validate(table)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"name": "mine"},
        {"extends": 45},
        MINIMAL | {"colour": "red"},
        MINIMAL | {"unpriced": ["expo"]},
        MINIMAL | {"prices": {"mac": {"pj": 1.0}}},
        MINIMAL | {"prices": {"mac": {"pj": -1.0, **CITED}}},
        MINIMAL | {"prices": {"mac": {"pj": "cheap", **CITED}}},
        MINIMAL | {"precisions": {"int8": {"extends": "45nm"}}},
        MINIMAL | {"precisions": {"int8": {"colour": "red"}}},
        MINIMAL | {"value_bytes": 0},
    ],
)
def test_files_that_are_not(validator: Any, table: dict[str, Any]) -> None:
    assert not validator.is_valid(table)
