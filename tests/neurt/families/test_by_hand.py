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
from neurt.families import TYPES, Shape, read_shape
from neurt.families.parameters import parameters
from neurt.loading.published import published
from neurt.loading.source import read_config

FORMS = tomllib.loads((Path(__file__).with_name("by_hand.toml")).read_text(encoding="utf-8"))
CAUSAL = Conventions(Attention.CAUSAL)
#: Past every window of the table, and past the positions that most of the models were trained with:
#: no count depends on them.
TOKENS = 5000


#: Expected weights are whole in each row, half of one off: two rows in each of 26 layers at most.
ROUNDED = 26


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


#: Families with a closed form in a test of their own.
BESIDE = {"zamba2"}
#: Families without one; they share all their parts with Qwen3-Next, which has one.
WITHOUT = {"qwen3_5_text", "qwen3_5_moe_text"}


def test_each_family_has_a_closed_form_or_is_named() -> None:
    shipped = {read_shape(read_config(path), "m").model_type for path in published().values()}
    assert (
        set(TYPES) - FORMS.keys() - shipped - BESIDE == WITHOUT
    )  # of those that are shipped: see beside


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
    assert counts.total(Op.WEIGHT_READ) == pytest.approx(
        weights_read(form, 2 * TOKENS), abs=ROUNDED
    )
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
    assert counts.total(Op.WEIGHT_READ) == pytest.approx(weights_read(form, 3), abs=ROUNDED)
    assert counts.total(Op.KV_READ) == 3 * (held + form["fixed"])
    assert counts.total(Op.KV_WRITE) == 3 * (written + form["fixed"])
