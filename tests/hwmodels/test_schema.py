from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from hwmodels import load_profile
from hwmodels.schema import file_schema
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
