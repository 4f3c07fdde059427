from dataclasses import replace
from functools import reduce
from operator import add

import pytest
from plans import by_name, measured
from transformers import GPT2LMHeadModel

from energy import Attention, Conventions, exposed_attention
from hwmodels import Op
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa, plan_passes
from neurt.families import ALIASES, Shape
from neurt.loading.source import resolve

TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)
CAUSAL = Conventions(Attention.CAUSAL)


PASSES = [prefill(16), prefill(9, batch=3), decode(17), decode(5, batch=2)]


@pytest.mark.parametrize("what", PASSES)
@pytest.mark.parametrize("conventions", [Conventions(), CAUSAL])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_analog_plan_is_what_the_hooks_count(
    tiny_gpt2: GPT2LMHeadModel, what: Pass, conventions: Conventions, implementation: str
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    with exposed_attention(tiny_gpt2):
        found = measured(tiny_gpt2, what, "asa", conventions)
    assert by_name(plan_asa(TINY, what, conventions)) == by_name(found)


@pytest.mark.parametrize(("name", "alias"), ALIASES.items())
@pytest.mark.parametrize("tokens", [1, 128, 1024])
def test_published_sizes_equal_the_closed_form(
    name: str, alias: tuple[str, Shape], tokens: int
) -> None:
    shape = alias[1]
    layers, d, vocabulary, s = shape.layers, shape.width, shape.vocabulary, tokens
    linear = s * (12 * layers * d * d + vocabulary * d)
    assert plan_asa(shape, prefill(s)).dense_macs == linear + 2 * layers * s * s * d
    causal = plan_asa(shape, prefill(s), CAUSAL).dense_macs
    assert causal == linear + layers * s * (s + 1) * d
    one = 12 * layers * d * d + vocabulary * d
    assert plan_asa(shape, decode(s)).dense_macs == one + 2 * layers * d * s


def test_published_numbers_of_gpt2_small() -> None:
    shape = ALIASES["gpt2-small"][1]
    counts = plan_asa(shape, prefill(128))
    assert counts.dense_macs == counts.total(Op.MAC) == 16_114_089_984
    core = counts.only(component="scores").dense_macs + counts.only(component="mix").dense_macs
    assert core == 301_989_888
    assert plan_asa(shape, prefill(1024)).dense_macs == 145_824_153_600
    assert plan_asa(shape, decode(129)).dense_macs == 125_909_760
    assert plan_asa(shape, prefill(128), CAUSAL).dense_macs == 15_964_274_688
    assert plan_asa(shape, prefill(1024), CAUSAL).dense_macs == 136_169_914_368


def test_decode_traffic_of_gpt2_small() -> None:
    counts = plan_asa(ALIASES["gpt2-small"][1], decode(1024))
    assert counts.total(Op.WEIGHT_READ) == 494_128_128 / 4  # 12 L d^2 + V d
    assert counts.total(Op.KV_READ) == 75_497_472 / 4  # 2 L d x 1024
    assert counts.total(Op.KV_WRITE) == 2 * 12 * 768


def test_windows_multiply_and_batch_doubles() -> None:
    once, thrice = plan_asa(TINY, prefill(8)), plan_asa(TINY, prefill(8, repeats=3))
    assert thrice.dense_macs == 3 * once.dense_macs
    assert thrice.tokens == 3 * once.tokens
    assert {x.calls for x in thrice.layers} == {3}
    assert plan_asa(TINY, prefill(8, batch=2)).dense_macs == 2 * once.dense_macs
    # weights are read once per call, whatever the batch
    twice = plan_asa(TINY, prefill(8, batch=2))
    assert twice.total(Op.WEIGHT_READ) == once.total(Op.WEIGHT_READ)


@pytest.mark.parametrize("name", ["gemma-3-27b-it", "gpt-oss-20b", "Llama-3.1-8B"])
def test_passes_that_are_planned_together_are_the_sum_of_each(name: str) -> None:
    shape = resolve(name).shape
    assert shape is not None
    passes = [prefill(7, batch=2), *(decode(context, batch=2) for context in range(1020, 1030, 3))]
    together = plan_passes(shape, passes, "all")
    apart = reduce(add, (replace(plan_asa(shape, what), phase="all") for what in passes))
    assert together == apart
