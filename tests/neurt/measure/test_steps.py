from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, GPT2LMHeadModel

from energy import Counts, Levels, count_pass
from neurt.families import label
from neurt.measure.stages import StepMeter, _number
from neurt.spiking.config import Code, Form, KeyValue
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.spiking.neuron import LIF

Converted = Callable[..., SpikingGPT2LMHeadModel]


def counted(model: SpikingGPT2LMHeadModel, ids: Tensor, meter: StepMeter) -> Counts:
    with meter.watching():
        return count_pass(
            model, lambda: model(input_ids=ids, use_cache=False), variant="ssa", label=label
        )


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", [code for code in Code if code is not Code.EXACT])
def test_the_steps_of_a_layer_add_up_to_what_the_hooks_count(
    converted: Converted, token_ids: Tensor, form: Form, code: Code
) -> None:
    model = converted(dtype=torch.float32, form=form, code=code)
    meter = StepMeter(model)
    counts = counted(model, token_ids, meter)
    steps = meter.counts()
    neurons = [row for row in counts.layers if row.label.component == "neuron" and row.tally.slots]
    assert {one.layer for one in steps} == {row.name for row in neurons}
    for row in neurons:
        mine = [one for one in steps if one.layer == row.name]
        assert [one.step for one in mine] == list(range(model.config.spiking["timesteps"]))
        assert sum(one.spikes for one in mine) == row.tally.spikes
        assert sum(one.slots for one in mine) == row.tally.slots
        assert {one.label for one in mine} == {row.label}


def test_watching_changes_no_count(converted: Converted, token_ids: Tensor) -> None:
    model = converted(dtype=torch.float32, form=Form.SOFTMAX, key_value=KeyValue.STREAMED)
    bare = count_pass(model, lambda: model(input_ids=token_ids), variant="ssa", label=label)
    meter = StepMeter(model)
    with meter.watching():
        watched = count_pass(model, lambda: model(input_ids=token_ids), variant="ssa", label=label)
    assert watched == bare  # what the audit saw outside of layers, too
    assert not any(module._forward_hooks for module in model.modules())


def test_two_passes_add_and_what_runs_outside_is_not_counted(
    converted: Converted, token_ids: Tensor
) -> None:
    model = converted(dtype=torch.float32)
    once, twice = StepMeter(model), StepMeter(model)
    counted(model, token_ids, once)
    counted(model, token_ids, twice)
    with torch.no_grad():
        model(input_ids=token_ids)
    counted(model, token_ids, twice)
    for a, b in zip(once.counts(), twice.counts(), strict=True):
        assert (b.spikes, b.slots) == (2 * a.spikes, 2 * a.slots)


def test_of_a_decode_step_only_the_new_token_is_counted(
    converted: Converted, token_ids: Tensor
) -> None:
    model = converted(dtype=torch.float32)
    meter, cache = StepMeter(model), DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=token_ids[:, :-1], past_key_values=cache, use_cache=True)
        with meter.watching():
            model(input_ids=token_ids[:, -1:], past_key_values=cache, use_cache=True)
    [first] = [x for x in meter.counts() if x.layer.endswith("h.0.attn.encoder") and x.step == 0]
    assert first.slots == 2 * 1 * 32  # sequences x new tokens x channels


def test_neurons_with_an_input_of_known_length() -> None:
    # Threshold 1, v <- v + (x - v) / 2. An input of 4: 2 -> 1, 2.5 -> 1.5, ... fires in each step.
    # One of 1.8: 0.9; 1.35 -> 0.35; 1.075 -> 0.075; 0.9375, so in the second and the third.
    model = torch.nn.Sequential(LIF(2, quantile=0.9, alpha=2.0, tau=2.0))
    meter = StepMeter(model)
    with meter.watching(), torch.no_grad():
        model(torch.tensor([1.8, 4.0]).expand(4, 3, 2))
    assert [(one.layer, one.step, one.spikes, one.slots) for one in meter.counts()] == [
        ("0", 0, 3, 6),
        ("0", 1, 6, 6),
        ("0", 2, 6, 6),
        ("0", 3, 3, 6),
    ]


def test_half_precision_counts_beyond_2048() -> None:
    model = torch.nn.Sequential(LIF(1, quantile=0.9, alpha=2.0, tau=2.0)).half()
    meter = StepMeter(model)
    with meter.watching(), torch.no_grad():
        model(torch.full((1, 5001, 1), 4.0, dtype=torch.float16))
    assert [one.spikes for one in meter.counts()] == [5001]


@pytest.mark.parametrize(
    ("levels", "events", "expected"),
    [
        (Levels.BINARY, [0.0, 1.0, 1.0], 2),
        (Levels.TERNARY, [-1.0, -0.0, 1.0], 2),
        (Levels.BURST, [-7.0, 0.0, 3.0], 10),
        (Levels.POWER, [-0.25, -0.0, 4.0], 2),
    ],
)
def test_events_of_each_kind(levels: Levels, events: list[float], expected: int) -> None:
    assert _number(torch.tensor(events), levels) == expected


def test_parts_of_a_step_that_are_summed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurt.measure.stages._EXACT", 4)
    assert _number(torch.ones(3, 3), Levels.BINARY) == 9


@pytest.mark.parametrize("spiking", [False, True])
def test_what_sends_no_events_has_no_rows(
    converted: Converted, tiny_gpt2: GPT2LMHeadModel, token_ids: Tensor, spiking: bool
) -> None:
    exact = converted(dtype=torch.float32, form=Form.SOFTMAX, code=Code.EXACT)
    model = exact if spiking else tiny_gpt2
    meter = StepMeter(model)
    with meter.watching(), torch.no_grad():
        model(input_ids=token_ids)
    assert meter.counts() == ()
