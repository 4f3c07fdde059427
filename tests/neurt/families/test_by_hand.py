"""One published model of each family against `by_hand.toml`; those that are shipped: see beside."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from energy import Attention, Conventions, Counts
from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Shape, read_shape
from neurt.families.parameters import parameters

FORMS = tomllib.loads((Path(__file__).with_name("by_hand.toml")).read_text(encoding="utf-8"))
CAUSAL = Conventions(Attention.CAUSAL)
#: Past every window of the table, and past the positions that most of the models were trained with:
#: no count depends on them.
TOKENS = 5000


def planned(name: str) -> tuple[Shape, dict[str, Any]]:
    none = dict.fromkeys(("pair", "cached", "key", "state", "kernel", "fixed"), 0)
    form = {**none, "local": None, "experts": None, **FORMS[name]}
    return read_shape(json.loads(form["config"]), name), form


def of_head(counts: Counts) -> float:
    return counts.layer("lm_head").ops[Op.MAC]


def weights_read(form: dict[str, Any], tokens: int) -> float:
    """Each weight once, and those of E (1 - (1 - k / E)^n) experts."""
    alike = form["linear"] + form["key"] + form["kernel"]
    if form["experts"] is None:
        return alike
    number, chosen, expert = form["experts"]
    return alike - chosen * expert + number * (1 - (1 - chosen / number) ** tokens) * expert


@pytest.mark.parametrize("name", FORMS)
def test_parameters_are_those_that_were_published(name: str) -> None:
    shape, form = planned(name)
    found = parameters(shape)
    assert found.total == form["parameters"]
    if form["experts"] is not None:
        number, chosen, expert = form["experts"]
        assert found.active == form["parameters"] - (number - chosen) * expert


@pytest.mark.parametrize("name", FORMS)
def test_prefill_by_hand(name: str) -> None:
    shape, form = planned(name)
    counts = plan_asa(shape, prefill(TOKENS, batch=2), CAUSAL)
    pairs = form["pair"] * TOKENS * (TOKENS + 1) // 2  # S (S + 1) / 2
    if form["local"] is not None:  # w (w + 1) / 2 + (S - w) w
        window = form["local"]["window"]
        pairs += form["local"]["pair"] * (window * (window + 1) // 2 + (TOKENS - window) * window)
    once = TOKENS * (form["linear"] + form["key"] + form["state"])
    assert counts.dense_macs == 2 * (once + pairs)
    assert of_head(counts) == 2 * TOKENS * form["head"]
    assert counts.total(Op.WEIGHT_READ) == pytest.approx(weights_read(form, 2 * TOKENS), rel=1e-9)
    # Without the mask of causality, as fvcore and torch count: S^2 pairs in every layer.
    local = form["local"] or {"pair": 0}
    counts = plan_asa(shape, prefill(TOKENS))
    assert counts.dense_macs == once + (form["pair"] + local["pair"]) * TOKENS**2


@pytest.mark.parametrize("name", FORMS)
def test_decode_by_hand(name: str) -> None:
    shape, form = planned(name)
    counts = plan_asa(shape, decode(TOKENS, batch=3), CAUSAL)
    attended, held, written = form["pair"] * TOKENS, form["cached"] * TOKENS, form["cached"]
    if form["local"] is not None:
        attended += form["local"]["pair"] * form["local"]["window"]
        held += form["local"]["cached"] * form["local"]["window"]
        written += form["local"]["cached"]
    assert counts.dense_macs == 3 * (
        form["linear"] + form["state"] + form["key"] * TOKENS + attended
    )
    assert of_head(counts) == 3 * form["head"]
    assert counts.total(Op.WEIGHT_READ) == pytest.approx(weights_read(form, 3), rel=1e-9)
    assert counts.total(Op.KV_READ) == 3 * (held + form["fixed"])
    assert counts.total(Op.KV_WRITE) == 3 * (written + form["fixed"])
