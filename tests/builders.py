"""What tests of several rooms build: a chip of round prices, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import pytest

from energy import Counts, Label, LayerCount, Tally
from hwmodels import Buffer, HardwareProfile, Op, catalog
from hwmodels.document import Document, compose

Given = ParamSpec("Given")
CITED = {"source": "a bench", "evidence": "measured"}


def chip(pj: Mapping[Any, float] | None = None, **keys: Any) -> HardwareProfile:
    """A chip with these prices and values of one byte, which costs 3 pJ to read and 5 to write."""
    about: dict[str, Any] = {
        "name": "mine",
        "title": "A chip of mine",
        "precision": "int8",
        "value_bytes": 1,
        "widths": {"accumulators": 8},
        "prices": {op: {"pj": price, **CITED} for op, price in (pj or {}).items()},
        "memory": {"ram": {"read_pj_per_byte": 3.0, "write_pj_per_byte": 5.0, **CITED}},
        "placement": dict.fromkeys(Buffer, "ram"),
    }
    return HardwareProfile.model_validate(about | keys)


def labelled(variant: str, **layers: tuple[str, str, dict[Op, int]]) -> Counts:
    """Layers by name: their block, component and operations."""
    return Counts(
        variant,
        tuple(
            LayerCount(name, "Linear", Label(block, component), 1, Tally(ops))
            for name, (block, component, ops) in layers.items()
        ),
    )


def refused(
    error: type[Exception],
    call: Callable[Given, object],
    *args: Given.args,
    **kwargs: Given.kwargs,
) -> str:
    """What this error says, in one line, which the call must end with."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    said = str(caught.value)
    assert "\n" not in said
    return said


def arithmetic(tally: Tally) -> dict[Op, int]:
    """Operations of a tally that are no traffic."""
    return {op: n for op, n in tally.ops.items() if op.group != "memory" and n}


def traffic(tally: Tally) -> dict[Op, int]:
    """Values, and slots of spikes, that a tally moves."""
    return {op: n for op, n in tally.ops.items() if op.group == "memory" and n}


def parse_profile(text: str, *, name: str) -> HardwareProfile:
    """The default profile of the text of a TOML file, which may extend a built-in one."""
    return compose(Document.parse(text, name), None, catalog._find_beside)
