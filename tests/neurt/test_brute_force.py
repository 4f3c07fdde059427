"""Every AC of the spiking model, counted a second time with loops over spikes and fan-outs."""

from typing import Any

import pytest
import torch
from torch import Tensor

from energy import Attention, Conventions, MatMul, count_pass
from hwmodels import Op
from neurt.modeling import SpikingGPT2LMHeadModel
from neurt.neuron import SpikingNeuron
from neurt.synapse import EventConv1D

Seen = dict[str, list[Tensor]]


def record(model: torch.nn.Module, ids: Tensor) -> Seen:
    """Operands of every spiking layer, by hooks of this test's own."""
    seen: Seen = {}
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, EventConv1D | MatMul | SpikingNeuron):

            def keep(_m: Any, args: Any, out: Tensor, name: str = name) -> None:
                seen[name] = [*(x for x in args if isinstance(x, Tensor)), out]

            handles.append(module.register_forward_hook(keep))
    with torch.no_grad():
        model(ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def linear_by_loops(spikes: Tensor, fan_out: int) -> int:
    total = 0
    for row in spikes.reshape(-1, spikes.shape[-1]).tolist():
        for spike in row:
            if spike != 0:
                for _ in range(fan_out):
                    total += 1
    return total


def scores_by_loops(q: Tensor, k: Tensor, *, causal: bool, coincidences: bool) -> int:
    total = 0
    for q_SD, k_ND in zip(q.flatten(0, 1).tolist(), k.mT.flatten(0, 1).tolist(), strict=True):  # noqa: N806
        for i, query in enumerate(q_SD):
            for c, spike in enumerate(query):
                if spike == 0:
                    continue
                for j, key in enumerate(k_ND):
                    if causal and j > i:
                        continue
                    if coincidences and key[c] == 0:
                        continue
                    total += 1
    return total


def mix_by_loops(a: Tensor, v: Tensor, *, causal: bool, coincidences: bool) -> int:
    total = 0
    for a_SN, v_ND in zip(a.flatten(0, 1).tolist(), v.flatten(0, 1).tolist(), strict=True):  # noqa: N806
        for j, value in enumerate(v_ND):
            for spike in value:
                if spike == 0:
                    continue
                for i, weights in enumerate(a_SN):
                    if causal and j > i:
                        continue
                    if coincidences and weights[j] == 0:
                        continue
                    total += 1
    return total


@pytest.mark.parametrize("attention", list(Attention))
@pytest.mark.parametrize("coincidences", [False, True])
def test_every_spiking_product_equals_the_loops(
    spiking: SpikingGPT2LMHeadModel,
    token_ids: Tensor,
    attention: Attention,
    coincidences: bool,
) -> None:
    counts = count_pass(
        spiking,
        lambda: spiking(token_ids, use_cache=False),
        variant="ssa",
        conventions=Conventions(attention, coincidences),
    )
    how = {"causal": attention is Attention.CAUSAL, "coincidences": coincidences}
    seen = record(spiking, token_ids)
    products = 0
    for row in counts.layers:
        module = spiking.get_submodule(row.name)
        if isinstance(module, EventConv1D):
            expected = linear_by_loops(seen[row.name][0], module.nf)
        elif isinstance(module, MatMul) and module.role == "scores":
            expected = scores_by_loops(seen[row.name][0], seen[row.name][1], **how)
        elif isinstance(module, MatMul):
            expected = mix_by_loops(seen[row.name][0], seen[row.name][1], **how)
        else:
            assert row.ops[Op.AC] == 0, row.name
            continue
        products += 1
        assert row.ops[Op.AC] == expected > 0, row.name
    assert products == 2 * 6  # per layer: qkv, scores, mix, proj, up, down


def test_spike_rates_equal_direct_counting(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    counts = count_pass(spiking, lambda: spiking(token_ids, use_cache=False), variant="ssa")
    seen = record(spiking, token_ids)
    for row in counts.layers:
        module = spiking.get_submodule(row.name)
        if isinstance(module, SpikingNeuron):
            train = seen[row.name][-1]
        elif isinstance(module, EventConv1D):
            train = seen[row.name][0]
        elif isinstance(module, MatMul):
            train = seen[row.name][0 if module.streaming == "left" else 1]
        else:
            assert row.spike_rate is None
            continue
        values = train.flatten().tolist()
        assert row.spike_rate == sum(v != 0 for v in values) / len(values), row.name


def test_counts_double_when_the_batch_doubles(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    once, twice = (
        count_pass(spiking, lambda ids=ids: spiking(ids, use_cache=False), variant="ssa")
        for ids in (token_ids, torch.cat([token_ids, token_ids]))
    )
    for op in (Op.AC, Op.MAC, Op.NEURON_UPDATE, Op.SPIKE, Op.ACTIVATION_WRITE, Op.KV_SPIKE_READ):
        if op is Op.ACTIVATION_WRITE:
            # position embeddings are looked up once for the whole batch: 12 tokens x 32 x 4 bytes
            assert twice.total(op) == 2 * once.total(op) - 12 * 32 * 4
        else:
            assert twice.total(op) == 2 * once.total(op), op
    assert twice.dense_macs == 2 * once.dense_macs
