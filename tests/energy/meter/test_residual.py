"""Additions to the residual stream, which run between modules: found by the audit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import count_exposed
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from energy import Counts, count_pass, counting, exposed_attention
from hwmodels import Op

WIDTH = 32
ROWS = ["transformer.residual.0"] + [
    f"transformer.h.{d}.residual.{i}" for d in (0, 1) for i in (0, 1)
]


def residuals(counts: Counts) -> dict[str, tuple[float, float, float, float]]:
    """Calls, additions, values read and written of each row of an addition."""
    ops = (Op.ADD, Op.ACTIVATION_READ, Op.ACTIVATION_WRITE)
    found = {}
    for row in counts.layers:
        if row.kind == "Residual":
            assert {op for op, n in row.ops.items() if n} <= set(ops)
            found[row.name] = (row.calls, *(row.ops[op] for op in ops))
    return found


@pytest.mark.parametrize("batch", [1, 3])
def test_each_addition_of_a_pass_has_a_row(tiny_gpt2: GPT2LMHeadModel, batch: int) -> None:
    counts = count_exposed(tiny_gpt2, input_ids=torch.zeros(batch, 7, dtype=torch.long))
    stream = batch * 7 * WIDTH
    assert residuals(counts) == {
        # Positions are looked up once for the whole batch.
        "transformer.residual.0": (1, stream, stream + 7 * WIDTH, stream),
        **dict.fromkeys(ROWS[1:], (1, stream, 2 * stream, stream)),
    }
    names = [row.name for row in counts.layers]
    inside = [i for i, name in enumerate(names) if name.startswith("transformer.h.1.")]
    assert names[inside[-2] : inside[-1] + 1] == ROWS[-2:]  # after the modules of their layer


def test_two_passes_are_two_calls_of_the_same_rows(tiny_gpt2: GPT2LMHeadModel) -> None:
    with torch.no_grad(), exposed_attention(tiny_gpt2), counting(tiny_gpt2) as meter:
        for tokens in (7, 3):
            tiny_gpt2(torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
    stream = (7 + 3) * WIDTH
    found = residuals(meter.counts("asa"))
    assert found == dict.fromkeys(ROWS, (2, stream, 2 * stream, stream))


def test_a_decoded_token_is_added_once(tiny_gpt2: GPT2LMHeadModel) -> None:
    with torch.no_grad():
        cache = tiny_gpt2(torch.zeros(2, 5, dtype=torch.long), use_cache=True).past_key_values
    word = torch.zeros(2, 1, dtype=torch.long)
    counts = count_exposed(tiny_gpt2, input_ids=word, past_key_values=cache, use_cache=True)
    found = residuals(counts)
    assert found.pop("transformer.residual.0") == (1, 2 * WIDTH, 3 * WIDTH, 2 * WIDTH)
    assert found == dict.fromkeys(ROWS[1:], (1, 2 * WIDTH, 4 * WIDTH, 2 * WIDTH))


class Adds(nn.Module):
    """A layer between additions of its own."""

    def __init__(self, add: Callable[[Tensor, Tensor], Tensor], times: int = 1) -> None:
        super().__init__()
        self.layer, self.add, self.times = nn.Linear(4, 4), add, times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.add(x, self.layer(x))
        return x


def added(add: Callable[[Tensor, Tensor], Tensor], *shape: int, times: int = 1) -> Counts:
    model, x = nn.Sequential(Adds(add, times)), torch.rand(shape)
    return count_pass(model, lambda: model(x), variant="asa")


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4)])
@pytest.mark.parametrize("add", [torch.add, Tensor.add_], ids=["new", "in place"])
def test_vectors_may_have_a_batch_and_the_sum_the_place_of_a_summand(
    add: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    counts = added(add, *shape)
    assert residuals(counts) == {"0.residual.0": (1, 24, 48, 24)}
    assert counts.uncounted == {}


@pytest.mark.parametrize(
    ("add", "shape", "name"),
    [
        (lambda x, y: y + 1.0, (6, 4), "add"),  # a constant
        (lambda x, y: y + y[0], (6, 4), "add"),  # a vector for all: a bias
        (lambda x, y: (x[None, None] + y[None, None])[0, 0], (6, 4), "add"),  # scores, by shape
        (lambda x, y: y - x, (6, 4), "sub"),
        (lambda x, y: x + y, (4,), "add"),  # one vector alone
    ],
)
def test_another_addition_is_reported_as_uncounted(
    add: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...], name: str
) -> None:
    counts = added(add, *shape)
    assert residuals(counts) == {}
    assert counts.uncounted == {name: 1}


def test_where_additions_do_not_belong_to_passes_they_share_a_row() -> None:
    # The layer runs 3 times, each time before one addition: 3 calls of one row.
    assert residuals(added(torch.add, 6, 4, times=3)) == {"0.residual.0": (3, 72, 144, 72)}
