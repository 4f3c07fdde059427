"""Every accumulate of the spiking model, counted a second time with loops over events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from seen import Run
from torch import Tensor

from energy import Attention, Conventions, Levels, MatMul, check_against_fvcore, count_pass
from hwmodels import Op
from neurt.spiking.config import Code
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.softmax_core import RowNormalise
from neurt.spiking.synapse import Synapse

Converted = Callable[..., SpikingLanguageModel]

CODES = pytest.mark.parametrize("code", [code for code in Code if code is not Code.EXACT])


def units(value: float, levels: Levels) -> int:
    """Events that one value of a spike train is."""
    return int(abs(value)) if levels is Levels.BURST else int(value != 0)


def linear_by_loops(events: Tensor, fan_out: int, levels: Levels) -> int:
    total = 0
    for row in events.reshape(-1, events.shape[-1]).tolist():
        for event in row:
            for _ in range(units(event, levels)):
                total += fan_out
    return total


def product_by_loops(
    left: Tensor, right: Tensor, module: MatMul, *, causal: bool, coincidences: bool
) -> int:
    """Loops over all that meet in `left @ right`; the streaming side is added.

    Query heads that share a cached one meet it each by itself.
    """
    steps = left if module.accumulate else left.unsqueeze(0)
    queries = left.shape[-2]
    keys = right.shape[-1] if module.role == "scores" else right.shape[-2]
    total = 0
    for step in steps:
        shared = right.expand(*step.shape[:-2], *right.shape[-2:])
        stored = shared.reshape(-1, *right.shape[-2:]).tolist()
        for rows, columns in zip(step.reshape(-1, *step.shape[-2:]).tolist(), stored, strict=True):
            for i, row in enumerate(rows):
                for k, a in enumerate(row):
                    for j, b in enumerate(columns[k]):
                        key = j if module.role == "scores" else k
                        if causal and key > keys - queries + i:
                            continue
                        event, other = (a, b) if module.streaming == "left" else (b, a)
                        if event and (other or not coincidences):
                            total += units(event, module.levels)
    return total


def second_stream_by_loops(events: Tensor, module: MatMul, *, causal: bool) -> int:
    """New keys or values (T, B, K, S, D) meet every query, or those at or after them.

    Of each query head that shares them.
    """
    queries = events.shape[-2]
    total = 0
    for head in events.flatten(0, 2).tolist():
        for j, token in enumerate(head):
            meets = queries - j if causal else queries
            for _ in range(module.shared_by):
                total += meets * sum(units(event, module.levels) for event in token)
    return total


def check(run: Run, conventions: Conventions) -> None:
    counts, seen = run.count(conventions), run.seen()
    causal = conventions.attention is Attention.CAUSAL
    checked = silent = 0
    for row in counts.layers:
        if row.kind == "Residual":  # an addition of the model between its modules
            assert row.tally.accumulates == row.ops[Op.MAC] == 0
            continue
        module = run.model.get_submodule(row.name)
        event_ops = {op: n for op, n in row.ops.items() if n and op in (Op.AC, Op.SHIFT_AC)}
        if isinstance(module, Synapse):
            fan_out = module.fan_out_weight.shape[1]
            expected = linear_by_loops(seen[row.name][0], fan_out, module.levels)
        elif isinstance(module, MatMul):
            left, right, *rest = seen[row.name]
            expected = product_by_loops(
                left, right, module, causal=causal, coincidences=conventions.coincidences
            )
            if len(rest) == 2:
                expected += second_stream_by_loops(rest[0], module, causal=causal)
        else:
            assert event_ops == {}, row.name
            continue
        checked, silent = checked + 1, silent + (not expected)
        assert event_ops == ({module.levels.op: expected} if expected else {}), row.name
        assert row.ops[Op.MAC] == 0
    # per layer: qkv, scores, mix, proj, up, down; or q, k, v, scores, mix, o, gate, up, down
    per_layer = 6 if "gpt2" in run.model.config.model_type else 9
    assert checked == 2 * per_layer + run.model.choices.head
    assert silent <= 1


@CODES
@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("context", [0, 3])
def test_every_product_equals_the_loops(
    converted: Converted,
    token_ids: Tensor,
    kind: str,
    form: str,
    code: Code,
    attention: Attention,
    context: int,
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=2)
    check(Run(model, token_ids[:, :5], context), Conventions(attention))


@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.BURST, Code.POW2])
@pytest.mark.parametrize("attention", Attention)
def test_every_coincidence_equals_the_loops(
    converted: Converted, token_ids: Tensor, kind: str, form: str, code: Code, attention: Attention
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=2)
    check(Run(model, token_ids[:, :5], 2), Conventions(attention, coincidences=True))


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("form", ["softmax", "two streams"])
def test_dead_zones_by_loss_are_counted_as_what_they_send(
    converted: Converted, token_ids: Tensor, form: str, context: int
) -> None:
    how = {"code": Code.POW2, "dead_zone": "loss", "threshold": 0.01}
    model = converted("qwen2", form, torch.float32, **how)
    check(Run(model, token_ids[:, :5], context), Conventions())


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
def test_a_coded_head_and_a_second_zone_equal_the_loops(
    converted: Converted, token_ids: Tensor, kind: str, code: Code, context: int
) -> None:
    how = {"code": code, "timesteps": 3, "threshold": 2.0, "resolution": 0.2, "head": True}
    model = converted(kind, "softmax", torch.float32, **how)
    run = Run(model, token_ids[:, :5], context)
    check(run, Conventions())
    check_spikes(run)


@CODES
def test_spikes_and_slots_equal_direct_counting(
    converted: Converted, token_ids: Tensor, kind: str, form: str, code: Code
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=3)
    check_spikes(Run(model, token_ids, 0))


def check_spikes(run: Run) -> None:
    counts, seen = run.count(Conventions()), run.seen()
    for row in counts.layers:
        if row.kind == "Residual":
            assert row.spike_rate is None
            continue
        module = run.model.get_submodule(row.name)
        if isinstance(module, SpikingNeuron):
            trains = seen[row.name][-1:]
        elif isinstance(module, Synapse):
            trains = seen[row.name][:1]
        elif isinstance(module, MatMul):
            left, right, *second = seen[row.name][:-1]
            trains = [left if module.streaming == "left" else right, *second]
        else:
            assert row.spike_rate is None
            if isinstance(module, RowNormalise):  # each event that arrives is added to its row
                arrived = seen[row.name][1].flatten().tolist()
                assert row.ops[Op.ADD] == sum(units(x, module.levels) for x in arrived)
            continue
        values = [value for train in trains for value in train.flatten().tolist()]
        assert row.tally.slots == len(values), row.name
        assert row.tally.spikes == sum(units(v, module.levels) for v in values) > 0, row.name


def test_fvcore_agrees_on_every_row(
    converted: Converted, token_ids: Tensor, kind: str, form: str, code: Code
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=3)
    counts = count_pass(model, lambda: model(token_ids, use_cache=False), variant="ssa")
    assert check_against_fvcore(model, token_ids, counts) == []
    assert not any(getattr(module, "unfolded", False) for module in model.modules())
    # Per token and layer: 2 d H D + 2 d K D in the projections, 2 H D S in the products, and the
    # layers of the feed-forward block; the head besides. What is spiking comes once per step.
    heads, kv_heads = {"llama": (4, 2), "mistral": (4, 1), "qwen2": (6, 2)}.get(kind, (4, 4))
    width, kv, tokens, steps = 8 * heads, 8 * kv_heads, 12, 3
    inner = 2 * 128 if kind == "gpt2" else 3 * 40
    per_token = 2 * width * (width + kv) + 2 * width * tokens + width * inner
    assert counts.dense_macs == 2 * tokens * (2 * per_token * steps + 101 * width)


@pytest.mark.parametrize("kind", ["gpt2"])
def test_counts_double_when_the_batch_doubles(
    converted: Converted, token_ids: Tensor, kind: str, form: str, code: Code
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=2)
    once, twice = (
        count_pass(model, lambda ids=ids: model(ids, use_cache=False), variant="ssa")
        for ids in (token_ids, torch.cat([token_ids, token_ids]))
    )
    for op in Op:
        if op in (Op.WEIGHT_READ, Op.VECTOR_READ):  # once per call
            continue
        if op in (Op.ACTIVATION_READ, Op.ACTIVATION_WRITE):
            # position embeddings are looked up, and read, once for the whole batch: 12 tokens x 32
            assert twice.total(op) == 2 * once.total(op) - 12 * 32
        else:
            assert twice.total(op) == 2 * once.total(op), op
    assert twice.dense_macs == 2 * once.dense_macs


@CODES
def test_a_code_that_is_exact_saves_nothing_and_the_others_multiply_nothing(
    converted: Converted, token_ids: Tensor, code: Code
) -> None:
    control, coded = (
        count_pass(
            model,
            lambda model=model: model(token_ids, use_cache=False),
            variant="ssa",
        )
        for model in (
            converted(dtype=torch.float32, form="softmax", code=chosen, timesteps=2)
            for chosen in (Code.EXACT, code)
        )
    )
    assert control.total(Op.MAC) == control.dense_macs == coded.dense_macs
    assert control.total(Op.AC, Op.SHIFT_AC, Op.NEURON_UPDATE, Op.SPIKE) == 0
    assert control.events_per_mac is None
    head = coded.layer("lm_head").tally.dense_macs
    assert coded.total(Op.MAC) == head
