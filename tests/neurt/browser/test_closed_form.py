"""The closed form in the browser is Python's: the same counts, and the same refusals."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import pytest
from tiny_models import MIXTURES, SIZES, TINY
from transformers import AutoConfig

from energy import Attention, Conventions
from hwmodels.errors import UserError
from neurt.browser.models import listed, models
from neurt.closed_form.passes import Pass, Stage, check_stages, decode, prefill, whole_request
from neurt.closed_form.plan import plan_passes
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import TYPES, Shape, has_conversion, read_shape
from neurt.families.parameters import parameters
from neurt.loading.widths import of_config
from neurt.spiking.config import DeadZone, SpikingConfig
from reports.page.data import columns

Evaluate = Callable[[str, Any], Any]

GPT2 = {"n_layer": 3, "n_embd": 32, "n_head": 4, "n_positions": 64, "vocab_size": 101}
CONVERTED: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2),
    "llama": ("llama", {}),
    "llama, biased": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("mistral", {"head_dim": 12, "sliding_window": 40}),
    "qwen2": ("qwen2", {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "qwen2, late windows": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1},
    ),
}
ALL = CONVERTED | TINY | MIXTURES
#: Quantisations whose bits depend on the sizes and names of layers.
QUANTISED: tuple[dict[str, Any], ...] = (
    {},
    {"torch_dtype": "bfloat16"},
    {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["self_attn"]}},
    {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 16}},
    {"quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 16]}},
)
PER_KIND = 3

SCRIPT = """(cases) => cases.map(({ text, asked }) => {
  const part = ([name, value]) => [name, plain(value)];
  const plain = (x) => {
    if (x instanceof Float64Array) return Array.from(x);
    const isObject = x && typeof x === "object" && !Array.isArray(x);
    return isObject ? Object.fromEntries(Object.entries(x).map(part)) : x;
  };
  try {
    const content = py.json(text);
    const shape = plan.read(content, "it");
    const { activations, kv, of_row } = closed.checkpoint(content, "it", shape.tied);
    const spiking = asked.spiking && closed.has_conversion(shape);
    const { phases } = plan.counted(shape, { ...asked, spiking }, "it", of_row);
    const parameters = [...closed.parameters(shape)];
    const both = ({ name, ...sides }) => Object.fromEntries(
      Object.entries(sides).map(([side, counts]) => [side, plain(plan.whole(counts))]));
    return { phases: phases.map(both), parameters, widths: [activations, kv] };
  } catch (error) {
    return error instanceof py.UserError ? { error: error.message } : { crash: error.stack };
  }
})"""


def changed(config: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A configuration with other sizes, some of which make no model."""
    made = dict(config)
    for name, value in config.items():
        if name in ("model_type", "architectures", "num_hidden_layers", "n_layer"):
            continue
        if draw.random() < 0.12:
            if type(value) is int:
                made[name] = draw.choice(
                    (value * 2, value * 3, value * 4, value * 56, value + 1, 0)
                )
            elif type(value) is float:
                made[name] = draw.choice((value / 2, value * 1.5, -value))
            elif isinstance(value, bool):
                made[name] = not value
        elif draw.random() < 0.03:
            made[name] = draw.choice((None, "5", [], 2.0))
        elif draw.random() < 0.02:
            del made[name]
    return made


def cases() -> Iterator[dict[str, Any]]:
    draw = random.Random(19)
    for model_type, special in ALL.values():
        words = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
        sizes = GPT2 if model_type == "gpt2" else SIZES
        config = AutoConfig.for_model(model_type, **{**sizes, **words, **special}).to_dict()
        for number in range(PER_KIND):
            made = changed(config, draw) if number else dict(config)
            made |= draw.choice(QUANTISED)
            yield {"text": json.dumps(made), "asked": stated(draw)}
    for text in [*models().values()][::3]:
        yield {"text": text, "asked": stated(draw)}


def stated(draw: random.Random) -> dict[str, Any]:
    return {
        "phase": draw.choice(("prefill", "decode", "request")),
        "batch": draw.choice((1, 1, 3)),
        "seq_len": draw.randint(1, 70),
        "context": draw.randint(1, 70),
        "prompt": draw.randint(1, 30),
        "generate": draw.randint(1, 20),
        "attention": draw.choice(("full", "causal")),
        "timesteps": draw.choice((1, 4, 6)),
        "rate": draw.choice((0, 0.013, 0.2, 1)),
        "spiking": draw.random() < 0.8,
    }


def stages(what: dict[str, Any]) -> tuple[Stage, ...]:
    batch = what["batch"]
    if what["phase"] == "request":
        return whole_request(what["prompt"], what["generate"], batch=batch)
    lone: Pass = (
        prefill(what["seq_len"], batch=batch)
        if what["phase"] == "prefill"
        else decode(what["context"], batch=batch)
    )
    return (Stage(what["phase"], (lone,)),)


def planned(text: str, what: dict[str, Any]) -> dict[str, Any]:
    """What Python makes of it, in columns."""
    config = json.loads(text)
    try:
        shape = read_shape(config, "it")
        checkpoint = of_config(config, "it", tied=shape.tied)
        spiking = what["spiking"] and has_conversion(shape)
        all_stages = stages(what)
        check_stages(all_stages, shape, "it", analog=not spiking)
        phases = [*counted(shape, all_stages, what, spiking=spiking)]
    except UserError as error:
        return {"error": str(error)}
    for phase in phases:
        for side in phase:
            rows = tuple(
                replace(row, weight_bits=bits.weights, vector_bits=bits.vectors)
                for row in phase[side].layers
                for bits in [checkpoint.of_row(row)]
            )
            phase[side] = columns(replace(phase[side], layers=rows))
    widths = [checkpoint.activations, checkpoint.kv]
    return {"phases": phases, "parameters": [*parameters(shape)], "widths": widths}


def counted(
    shape: Shape, all_stages: tuple[Stage, ...], what: dict[str, Any], *, spiking: bool
) -> Iterator[dict[str, Any]]:
    conventions = Conventions(Attention(what["attention"]))
    if not spiking:
        passes = [one for stage in all_stages for one in stage.passes]
        yield {"asa": plan_passes(shape, passes, "all", conventions)}
        return
    conversion = SpikingConfig(timesteps=what["timesteps"], dead_zone=DeadZone.OUTPUT)
    for stage in all_stages:
        plans = (
            replace(plan_ssa(shape, x, conversion, what["rate"], conventions), phase=stage.phase)
            for x in stage.passes
        )
        asa = plan_passes(shape, stage.passes, stage.phase, conventions)
        yield {"asa": asa, "ssa": reduce(add, plans)}


def difference(found: Any, expected: Any, where: str = "") -> str:
    """Where two values differ by more than 1e-9; empty where they do not."""
    if isinstance(expected, dict):
        if found.keys() != expected.keys():
            return f"{where}: {sorted(found.keys() ^ expected.keys())}"
        return next(
            filter(None, (difference(found[x], expected[x], f"{where}.{x}") for x in found)), ""
        )
    if isinstance(expected, list | tuple):
        if len(found) != len(expected):
            return f"{where}: {len(found)} and {len(expected)}"
        pairs = enumerate(zip(found, expected, strict=True))
        inside = (difference(a, b, f"{where}[{i}]") for i, (a, b) in pairs)
        return next(filter(None, inside), "")
    if found == expected or (None not in (found, expected) and math.isclose(found, expected)):
        return ""
    return f"{where}: {found!r} instead of {expected!r}"


#: What the page does not make: the names of phases of single stages and of models, and `steps`.
ABOUT = ("model", "weights", "phase", "steps", "zero_macs")


def without(side: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in side.items() if name not in ABOUT}


def disagreements(page: dict[str, Any], python: dict[str, Any]) -> Iterator[str]:
    """What the page says otherwise than Python."""
    if "error" in python:
        # The page has fields in the place of the flags that a sentence names last.
        said = [x.get("error", "counted").partition("; lower")[0] for x in (page, python)]
        if said[0] != said[1]:
            yield f"{page.get('crash', said[0])} | {said[1]}"
        return
    if "phases" not in page:
        yield str(page)
        return
    for mine, expected in zip(page["phases"], python["phases"], strict=True):
        for side in expected:
            yield difference(without(mine[side]), without(expected[side]), side)
    for key in ("parameters", "widths"):
        yield difference(page[key], python[key], key)


def test_every_family_is_counted_as_in_python(evaluate: Evaluate) -> None:
    drawn, wrong, seen, refused = [*cases()], [], set(), 0
    for case, page in zip(drawn, evaluate(SCRIPT, drawn), strict=True):
        python = planned(case["text"], case["asked"])
        wrong += [
            f"{line} in {case['text'][:200]} {case['asked']}"
            for line in disagreements(page, python)
            if line
        ]
        if "error" in python:
            refused += 1
        else:
            seen.add(json.loads(case["text"])["model_type"])
    assert wrong == []
    assert seen >= {*TYPES}
    assert 20 < refused < len(drawn) / 2


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        # Windows of 20 tokens begin to cut at the 21st; chunks of 8 begin anew at each 8th.
        ({"prompt": 15, "generate": 12}, 11),
        ({"prompt": 1, "generate": 60}, 59),
    ],
)
def test_all_steps_of_decode_at_once_are_the_sum_of_the_steps(
    evaluate: Evaluate, asked: dict[str, int], steps: int
) -> None:
    draw = random.Random(3)
    chunked = {**SIZES, **MIXTURES["llama4_text"][1], "attention_chunk_size": 8}
    configs = [
        {"model_type": "llama4_text", **chunked},
        {"model_type": "mistral", **SIZES, "sliding_window": 20},
        {"model_type": "gpt2", **GPT2},
    ]
    for config in configs:
        for attention in Attention:
            what = stated(draw) | {"phase": "request", "attention": str(attention), **asked}
            what["spiking"] = config["model_type"] == "gpt2"
            case = {"text": json.dumps(config), "asked": what}
            assert len(stages(what)[-1].passes) == steps
            [page] = evaluate(SCRIPT, [case])
            assert [*filter(None, disagreements(page, planned(case["text"], what)))] == []


def test_models_that_are_offered_have_the_parameters_of_their_files() -> None:
    for name, each in listed().items():
        assert parameters(read_shape(json.loads(each["config"]), name)).total == each["parameters"]
    assert len(models()) >= 20
