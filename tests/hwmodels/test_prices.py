from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from hwmodels import Core, Evidence, MemoryLevel, Price, StaticPower, SystemFigure, Throughput

CITED = {"source": "a bench", "evidence": "measured"}
FLAT = {"read_pj_per_byte": 1.0, "write_pj_per_byte": 2.0}


def made(kind: type[BaseModel], **keys: Any) -> Any:
    return kind.model_validate(keys | CITED)


@pytest.mark.parametrize("grade", Evidence)
def test_every_grade_of_evidence_is_defined(grade: Evidence) -> None:
    assert grade.definition
    assert [other for other in Evidence if other.definition == grade.definition] == [grade]


@pytest.mark.parametrize(
    ("kind", "key", "text", "value"),
    [
        (Price, "pj", "81e-12 J", 81),
        (Price, "pj", "0.9 pJ", 0.9),
        (StaticPower, "watts", "104 mW", 0.104),
        (Throughput, "per_second", "1e12/s", 1e12),
    ],
)
def test_a_number_may_carry_its_unit(
    kind: type[BaseModel], key: str, text: str, value: float
) -> None:
    assert getattr(made(kind, **{key: text}), key) == value


def test_a_memory_level_may_carry_units_everywhere() -> None:
    # 20.3 pJ/bit x 8 bits = 162.4 pJ per byte
    flat = made(MemoryLevel, read_pj_per_byte="20.3 pJ/bit", write_pj_per_byte="1.5 nJ/byte")
    assert (flat.read_pj_per_byte, flat.write_pj_per_byte) == (162.4, 1500)
    curved = made(MemoryLevel, curve=[["8 KiB", "1.25 pJ/byte"], ["1 MiB", 12.5]])
    assert curved.curve == ((8192, 1.25), (1048576, 12.5))
    assert made(MemoryLevel, **FLAT, capacity_bytes="24 MiB").capacity_bytes == 25165824


@pytest.mark.parametrize(
    ("kind", "keys", "says"),
    [
        (Price, {"pj": "0.9 W"}, "must be a number, or an energy"),
        (Price, {"pj": "0.9 pJ/bit"}, "must be a number, or an energy"),
        (Price, {"pj": "-0.9 pJ"}, "must be 0, or from 1e-06 to 1e\\+09 pJ"),
        (Price, {"pj": "1e999 J"}, "finite"),
        (Price, {"pj": True}, "valid number"),
        (Price, {"pj": 1.0, "spread": [1.1, 2.0]}, "must be from 0.001 to 1"),
        (Price, {"pj": 1.0, "spread": [0.5, 0.9]}, "must be from 1 to 1000"),
        (Price, {"pj": 1.0, "others": [{"pj": 2.0}]}, "source"),
        (MemoryLevel, FLAT | {"read_pj_per_byte": "1 pJ"}, "an energy per byte"),
        (MemoryLevel, FLAT | {"capacity_bytes": "1.5 byte"}, "valid integer"),
        (MemoryLevel, FLAT | {"capacity_bytes": "1 nm"}, "an amount of data"),
        (MemoryLevel, {}, "give one of the two"),
        (MemoryLevel, {"read_pj_per_byte": 1.0}, "give one of the two"),
        (MemoryLevel, FLAT | {"curve": [[8, 1.0]]}, "give one of the two"),
        (MemoryLevel, {"curve": [[16, 1.0], [8, 2.0]]}, r"must increase, but are \[16, 8\]"),
        (MemoryLevel, {"curve": [[8, 1.0], [8, 2.0]]}, "must increase"),
        (Throughput, {"per_second": 0}, "must be from 1 to"),
        (Core, {"synapses": 64, "neurons": 0}, "must be from 1 to"),
        (SystemFigure, {"what": "a model", "value": 1.0, "unit": ""}, "at least 1 character"),
    ],
)
def test_a_rule_that_is_broken_is_named(
    kind: type[BaseModel], keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        made(kind, **keys)


@pytest.mark.parametrize(
    ("pj", "others", "factor"),
    [
        (450.0, [10.0], 45.0),
        (10.0, [450.0, 100.0], 45.0),
        (10.0, [10.0], 1.0),
        (10.0, [], 1.0),
        (0.0, [], 1.0),
        (0.0, [1.0], float("inf")),
    ],
)
def test_sources_conflict_by_the_factor_between_the_extremes(
    pj: float, others: list[float], factor: float
) -> None:
    price: Price = made(Price, pj=pj, others=[{"pj": x, "source": "another"} for x in others])
    assert price.conflict == factor
