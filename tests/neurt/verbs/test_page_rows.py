"""The page of configurations counts and prices layers that are alike once, with the same sums."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import browser as browser
from config_pages import Opened, agree
from config_pages import opened as opened
from config_pages import text as text

from energy import Attention, Conventions, Counts
from neurt.browser.models import models
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_passes
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import has_conversion, read_shape
from neurt.loading.widths import of_config
from neurt.spiking.config import DeadZone, SpikingConfig

#: Rows of each side that are priced, rows that there are, and copies of them all.
ROWS = """(state) => {
  const given = { ...asked.standard(config.data), ...state };
  const { data, view, spiking } = priced.answer(config.data, given);
  const [phase] = data.run.phases;
  return (spiking ? ["asa", "ssa"] : ["asa"]).map((side) => [
    view[side].counts.name.length,
    phase[side].places.length,
    phase[side].copies.reduce((a, b) => a + b, 0),
  ]);
}"""
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
#: The first two layers are as wide as the checkpoint stores the rest.
MIXED = {"quant_method": "fp8", "modules_to_not_convert": ["model.layers.0.", "model.layers.1."]}


def different(counts: Counts, config: dict[str, Any], *, tied: bool) -> int:
    """Rows of a model that differ, where a row is known by all rows of its layer."""
    of_row = of_config(config, "it", tied=tied).of_row
    layers: dict[int | None, list[object]] = {}
    for row in counts.layers:
        name = row.name.replace(f".{row.label.depth}.", ".*.")
        same = row.kind, row.label.block, row.label.component, str(row.tally), row.calls
        layers.setdefault(row.label.depth, []).append((name, *same, of_row(row)))
    outside = layers.pop(None, [])
    return len(outside) + sum(map(len, {str(rows): rows for rows in layers.values()}.values()))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("gpt2-small", {}),
        ("meta-llama/Llama-3.1-70B", {}),
        ("meta-llama/Llama-3.1-8B", {"quantization_config": GPTQ}),
        ("meta-llama/Llama-3.1-8B", {"quantization_config": MIXED}),
        ("Gemma-2-9B", {}),  # windows in every second layer
        ("deepseek-ai/DeepSeek-V3", {}),  # experts behind three layers without
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", {}),  # attention in every fourth layer
    ],
)
def test_the_rows_that_are_priced_are_those_that_differ(
    opened: Opened, name: str, more: dict[str, Any]
) -> None:
    config = json.loads(models()[name]) | more
    shape = read_shape(config, name)
    conventions = Conventions(Attention.CAUSAL)
    tokens = 900 if has_conversion(shape) else 5000  # windows are of 4,096
    sides = [plan_passes(shape, [prefill(tokens)], "all", conventions)]
    if has_conversion(shape):
        conversion = SpikingConfig(timesteps=4, dead_zone=DeadZone.OUTPUT)
        sides.append(plan_ssa(shape, prefill(tokens), conversion, 0.2, conventions))
    asked = {"model": "", "config": json.dumps(config)}
    asked |= {"seq_len": tokens, "attention": "causal"}
    found = opened().evaluate(ROWS, asked)
    for (priced, places, copies), counts in zip(found, sides, strict=True):
        assert priced == different(counts, config, tied=shape.tied)
        assert places == copies == len(counts.layers)
        assert priced < len(counts.layers) / 4


def cases() -> Iterator[dict[str, Any]]:
    """Models of their full size, of which the room on the chip holds some of the layers."""
    # 24 MiB (45nm, 7nm) and 40 MiB (7nm-hbm2): of 124 M parameters at 8 bits a fifth or a third.
    request = {"phase": "request", "prompt": 300, "generate": 40}
    decode = {"phase": "decode", "context": 700}
    for hw in ("45nm", "7nm", "7nm-hbm2"):
        yield {"model": "gpt2-small", "hw": hw, "weights": 2, **request}
        yield {"model": "SmolLM2-135M", "hw": hw, **decode}
        yield {"model": "Gemma-2-9B", "hw": hw, "kv": 8, **request}
    yield {"model": "Mistral-7B-v0.1", "hw": "45nm", "weights": 4, **decode, "batch": 3}
    yield {"model": "meta-llama/Llama-3.1-70B", "hw": "7nm-hbm2", **request}
    yield {"model": "Qwen/Qwen3-Next-80B-A3B-Instruct", "hw": "7nm", **decode}
    yield {"model": "gpt2-xl", "hw": "loihi"}  # hops between the cores that all layers need


def test_bills_of_many_layers_that_are_alike_are_those_of_plan(
    opened: Opened, tmp_path: Path
) -> None:
    drawn = [{**case, "config": models()[case["model"]], "model": ""} for case in cases()]
    agree(opened(), drawn, tmp_path / "config.json")
