"""Rows of weights, of K and of V that something needs, found a second time with loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from seen import Run
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from energy import Attention, Conventions, LayerCount, MatMul, exposed_attention
from neurt.spiking.config import Code
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.synapse import Synapse

PASSES = pytest.mark.parametrize(("tokens", "context"), [(5, 0), (5, 4)], ids=["prefill", "decode"])
BATCHES = pytest.mark.parametrize("batch", [1, 3])


def ids(batch: int, tokens: int) -> Tensor:
    return torch.randint(0, 101, (batch, tokens), generator=torch.Generator().manual_seed(batch))


def channels_by_loops(inputs: Tensor, steps: int) -> tuple[int, int]:
    """Channels with a value in any step of any token; and token by token, added up."""
    tokens = inputs.reshape(steps, -1, inputs.shape[-1]).transpose(0, 1).tolist()
    touched: set[int] = set()
    active = 0
    for token in tokens:
        awake = {channel for step in token for channel, value in enumerate(step) if value}
        touched |= awake
        active += len(awake)
    return len(touched), active


def rows_by_loops(module: MatMul, left: Tensor, keys: int, *, causal: bool) -> int:
    """Rows of K (or of V) that an event meets: of each cached head, whichever head needs them."""
    steps = left if module.accumulate else left.unsqueeze(0)
    needed: set[tuple[int, int]] = set()
    for step in steps:
        for head, queries in enumerate(step.reshape(-1, *step.shape[-2:]).tolist()):
            for i, query in enumerate(queries):
                if module.role == "mix":
                    meets = [key for key, weight in enumerate(query) if weight]
                else:
                    sees = keys - len(queries) + i + 1 if causal else keys
                    meets = list(range(sees)) if any(query) else []
                needed |= {(head // module.shared_by, key) for key in meets}
    return len(needed)


def check(run: Run, conventions: Conventions, *, looked: int) -> None:
    counts, seen = run.count(conventions), run.seen()
    found = 0
    for row in counts.layers:
        if row.kind == "Residual":
            continue
        module = run.model.get_submodule(row.name)
        analog = conventions.zeros and isinstance(module, nn.Linear | Conv1D)
        if isinstance(module, Synapse) or analog:
            expected = of_weights(module, seen[row.name][0])
        elif isinstance(module, MatMul) and (conventions.zeros or module.events):
            left, right = seen[row.name][:2]
            keys, width = right.shape[-2:]
            if module.role == "scores":
                keys, width = width, keys
            causal = conventions.attention is Attention.CAUSAL
            expected = None, None, width * rows_by_loops(module, left, keys, causal=causal)
        else:
            expected = None, None, None
        assert looked_at(row) == expected, row.name
        found += expected != (None, None, None)
    assert found == looked


def of_weights(module: Any, inputs: Tensor) -> tuple[int, int, None]:
    """What the channels of a linear layer need, in values of its weights."""
    fan_out = module.bias.shape[0] if module.bias is not None else module.weight.shape[0]
    steps = inputs.shape[0] if isinstance(module, Synapse) else 1
    touched, active = channels_by_loops(inputs, steps)
    return touched * fan_out, active * fan_out, None


def looked_at(row: LayerCount) -> tuple[float | None, float | None, float | None]:
    tally = row.tally
    return tally.touched_weights, tally.active_weights, tally.touched_kv


#: Products of two layers: q, k and v in one, scores, mix, proj, up, down; or apart, with a gate.
PRODUCTS = {"gpt2": 12, "llama": 18}


@BATCHES
@PASSES
@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("kind", PRODUCTS)
@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("spikformer", Code.SIGNED_IF),
        ("spikformer", Code.POW2),
        ("softmax", Code.POW2),
        ("softmax", Code.BURST),
        ("two streams", Code.SAR),
    ],
)
def test_every_row_that_spikes_touch_equals_the_loops(
    converted: Callable[..., SpikingLanguageModel],
    kind: str,
    form: str,
    code: Code,
    attention: Attention,
    tokens: int,
    context: int,
    batch: int,
) -> None:
    model = converted(kind, form, torch.float32, code=code, timesteps=2, threshold=4.0)
    run = Run(model, ids(batch, tokens), context)
    check(run, Conventions(attention), looked=PRODUCTS[kind])


@contextmanager
def silenced(model: nn.Module, below: float) -> Iterator[None]:
    """Inputs of linear layers, Q and softmax weights that are smaller become zero."""

    def quiet(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        left, *rest = args
        return (left.where(left.abs() >= below, 0), *rest)

    kinds = nn.Linear | Conv1D | MatMul
    hooks = [x.register_forward_pre_hook(quiet) for x in model.modules() if isinstance(x, kinds)]
    yield
    for hook in hooks:
        hook.remove()


@BATCHES
@PASSES
@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("kind", PRODUCTS)
def test_every_row_that_values_of_an_analog_model_touch_equals_the_loops(
    decoder: Callable[..., PreTrainedModel],
    kind: str,
    attention: Attention,
    tokens: int,
    context: int,
    batch: int,
) -> None:
    model = decoder(kind)
    with exposed_attention(model, fused=False), silenced(model, 0.3):
        run = Run(model, ids(batch, tokens), context)
        check(run, Conventions(attention, zeros=True), looked=PRODUCTS[kind] + 1)  # and the head
        check(run, Conventions(attention), looked=0)  # nobody looks unless asked to
