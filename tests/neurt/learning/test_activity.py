from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from energy import Conventions, Counts, count_pass
from neurt.families import label
from neurt.learning.activity import Activity
from neurt.spiking.config import Code, Form, KeyValue
from neurt.spiking.modeling import SpikingGPT2LMHeadModel
from neurt.spiking.neuron import SpikingNeuron

SPIKING = [code for code in Code if code is not Code.EXACT]
Converted = Callable[..., SpikingGPT2LMHeadModel]


def counted(model: SpikingGPT2LMHeadModel, ids: Tensor) -> Counts:
    return count_pass(
        model,
        lambda: model(input_ids=ids, use_cache=False),
        variant="ssa",
        conventions=Conventions(),
        label=label,
        batch=len(ids),
        tokens=ids.numel(),
        timesteps=model.config.spiking["timesteps"],
    )


def watched(model: SpikingGPT2LMHeadModel, ids: Tensor) -> dict[str, Tensor]:
    activity = Activity(model)
    with activity.watching():
        model(input_ids=ids, use_cache=False)
        return activity.events_per_mac(ids.shape[1])


@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("code", SPIKING)
def test_events_per_mac_are_those_that_the_hooks_count(
    converted: Converted, token_ids: Tensor, code: Code, key_value: KeyValue
) -> None:
    model = converted(form=Form.SOFTMAX, code=code, key_value=key_value)
    found, counts = watched(model, token_ids), counted(model, token_ids)
    for block in ("attention", "ffn"):
        expected = counts.only(block=block).events_per_mac
        assert found[block].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("code", SPIKING)
def test_of_spikformer_they_are_close_for_q_k_and_v_share_their_neurons(
    converted: Converted, token_ids: Tensor, code: Code
) -> None:
    model = converted(code=code)
    found, counts = watched(model, token_ids), counted(model, token_ids)
    ffn = counts.only(block="ffn").events_per_mac
    assert found["ffn"].item() == pytest.approx(ffn, rel=1e-5)
    # The spikes of K are stored and drive nothing, but the rate of Q and V is taken to be that of
    # all three. Their products are 2 x 32 x 12 of 4 x 32^2 + 2 x 32 x 12 MACs per token: 16 %.
    attention = counts.only(block="attention").events_per_mac
    assert found["attention"].item() == pytest.approx(attention, rel=0.02)
    rates: list[Tensor] = []  # with those of Q and V, they are the same
    handles = [
        block.attn.qkv_neuron.register_forward_hook(
            lambda _layer, _args, out: rates.append(out.sum(0).mean((0, 1)).unflatten(0, (3, 32)))
        )
        for block in model.transformer.h
    ]
    with torch.no_grad():
        model(input_ids=token_ids, use_cache=False)
    for handle in handles:
        handle.remove()
    difference = sum((float(r[[0, 2]].mean() - r.mean()) for r in rates), 0.0) / 2
    share = 2 * 32 * 12 / (4 * 32**2 + 2 * 32 * 12)
    corrected = found["attention"].item() + difference * share
    assert corrected == pytest.approx(attention, rel=1e-5)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", SPIKING)
def test_higher_thresholds_mean_fewer_events(
    converted: Converted, token_ids: Tensor, form: Form, code: Code
) -> None:
    model = copy.deepcopy(converted(form=form, code=code))
    # The softmax cancels the scale of its weights, but not how many of them are events.
    neurons = {name: m for name, m in model.named_modules() if isinstance(m, SpikingNeuron)}
    for neuron in neurons.values():
        neuron.threshold.requires_grad_(True)
    found = watched(model, token_ids)
    for block, part in (("attention", ".attn."), ("ffn", ".mlp.")):
        own = {name: n.threshold for name, n in neurons.items() if part in name}
        slopes = torch.autograd.grad(
            found[block], list(own.values()), retain_graph=True, allow_unused=True
        )
        # Those of the last layer drive nothing but themselves and what follows them.
        for name, slope in zip(own, slopes, strict=True):
            assert slope is not None, name
        assert sum(float(slope.sum()) for slope in slopes if slope is not None) < 0, block
    with torch.no_grad():
        for neuron in neurons.values():
            neuron.threshold *= 2
    for block, fewer in watched(model, token_ids).items():
        assert fewer.item() < found[block].item()


def test_a_code_without_events_spends_none(converted: Converted, token_ids: Tensor) -> None:
    model = converted(form=Form.SOFTMAX, code=Code.EXACT)
    found = watched(model, token_ids)
    assert {block: events.item() for block, events in found.items()} == {"attention": 0, "ffn": 0}
    # On the device of the others, or they could not be averaged over processes together.
    elsewhere = Activity(copy.deepcopy(model).to("meta")).events_per_mac(12)
    assert [events.device.type for events in elsewhere.values()] == ["meta", "meta"]


def test_neurons_forget_and_are_left_alone(converted: Converted, token_ids: Tensor) -> None:
    model = converted()
    neurons = [m for m in model.modules() if isinstance(m, SpikingNeuron)]

    def interrupted() -> None:
        with Activity(model).watching():
            model(input_ids=token_ids, use_cache=False)
            assert all(neuron.activity is not None for neuron in neurons)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(neuron.activity is None and not neuron.watched for neuron in neurons)
    model(input_ids=token_ids, use_cache=False)
    assert all(neuron.activity is None for neuron in neurons)
