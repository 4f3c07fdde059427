from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import Attention, Conventions, Counts, Label, UncountedOperation, count_pass
from energy.formulas import linear
from hwmodels import Op


class Runs(nn.Module):
    """A model that is a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


def count(
    function: Callable[..., Any], *shapes: tuple[int, ...], attention: Attention = Attention.FULL
) -> Counts:
    model, args = nn.Sequential(Runs(function)), [torch.rand(shape) for shape in shapes]
    conventions = Conventions(attention)
    return count_pass(
        model, lambda: model[0](*args), variant="asa", conventions=conventions, loose=True
    )


@pytest.mark.parametrize(
    ("function", "shapes", "operation", "macs"),
    [
        (torch.mm, ((2, 3), (3, 5)), "mm", 2 * 3 * 5),
        (torch.addmm, ((5,), (2, 3), (3, 5)), "addmm", 2 * 3 * 5),
        (torch.bmm, ((4, 2, 3), (4, 3, 5)), "bmm", 4 * 2 * 3 * 5),
        (torch.baddbmm, ((4, 2, 5), (4, 2, 3), (4, 3, 5)), "baddbmm", 4 * 2 * 3 * 5),
        (torch.mv, ((2, 3), (3,)), "mv", 2 * 3),
        (torch.dot, ((3,), (3,)), "dot", 3),
    ],
)
def test_a_product_is_counted_from_its_shapes(
    function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], operation: str, macs: int
) -> None:
    counts = count(function, *shapes)
    [row] = counts.layers
    assert (row.name, row.kind, row.calls) == (f"0.({operation})", operation, 1)
    assert (row.label.block, row.label.component) == ("other", f"({operation})")
    operands = sum(torch.Size(shape).numel() for shape in shapes[-2:])
    assert row.ops[Op.MAC] == row.tally.dense_macs == macs
    assert row.ops[Op.ACTIVATION_READ] == operands
    assert counts.uncounted == {}


def parts(counts: Counts) -> dict[str, Any]:
    """The rows of an attention by their part."""
    return {row.kind: row for row in counts.layers}


def fused(*operands: Tensor, **how: Any) -> Tensor:
    return nn.functional.scaled_dot_product_attention(*operands, **how)


@pytest.mark.parametrize("attention", Attention)
def test_a_fused_attention_that_nobody_exposed(attention: Attention) -> None:
    # A batch of 1, 4 heads of width 8, 2 queries, 6 keys, no mask
    shapes = ((1, 4, 2, 8), (1, 4, 6, 8), (1, 4, 6, 8))
    counts = count(fused, *shapes, attention=attention)
    rows = parts(counts)
    assert list(rows) == ["scores", "softmax", "mix"]
    for part in ("scores", "mix"):
        assert rows[part].ops[Op.MAC] == 4 * 2 * 6 * 8
        assert rows[part].ops[Op.KV_READ] == 4 * 6 * 8
        assert rows[part].label == Label("attention", part)
    assert rows["softmax"].ops[Op.EXP] == 4 * 2 * 6
    assert counts.uncounted == {}


@pytest.mark.parametrize("how", ["flag", "mask"])
def test_what_the_mask_of_a_fused_attention_hides(how: str) -> None:
    mask = torch.ones(5, 5, dtype=torch.bool).tril()[None, None]
    given = {"is_causal": True} if how == "flag" else {"attn_mask": mask}
    counts = count(partial(fused, **given), *[(1, 4, 5, 8)] * 3, attention=Attention.CAUSAL)
    # 5 x 6 / 2 pairs of each head
    assert parts(counts)["mix"].ops[Op.MAC] == 4 * 15 * 8


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Of GPT-J and its like: two products with a softmax between them."""
    scores = query @ key.mT / 3
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) @ value


@pytest.mark.parametrize(("attention", "pairs"), [(Attention.FULL, 12), (Attention.CAUSAL, 11)])
def test_two_products_with_a_softmax_between_them(attention: Attention, pairs: int) -> None:
    # 2 sequences of 3 heads, 2 queries and 6 keys, widths 8 and 4; the first query sees 5
    mask = torch.ones(2, 6, dtype=torch.bool).tril(4)
    shapes = ((2, 3, 2, 8), (2, 3, 6, 8), (2, 3, 6, 4))
    counts = count(partial(attend, mask=mask), *shapes, attention=attention)
    rows = parts(counts)
    assert rows["scores"].ops[Op.MAC] == 6 * pairs * 8
    assert rows["scores"].ops[Op.KV_READ] == 6 * 6 * 8
    assert rows["scores"].ops[Op.KV_WRITE] == 6 * 2 * 8
    assert rows["softmax"].ops[Op.EXP] == 6 * pairs
    assert rows["mix"].ops[Op.MAC] == 6 * pairs * 4
    assert rows["mix"].ops[Op.KV_READ] == 6 * 6 * 4
    assert rows["mix"].name == "0.(mix)"
    assert "_softmax" not in counts.uncounted


def test_another_softmax_is_none_of_an_attention() -> None:
    counts = count(lambda x, y: (x @ y)[0].softmax(-1), (2, 3), (3, 5))
    assert [row.kind for row in counts.layers] == ["mm"]
    assert counts.uncounted == {"_softmax": 1}


class Holds(Runs):
    """A module that multiplies with a parameter by itself."""

    def __init__(self, function: Callable[..., Any], *shape: int) -> None:
        super().__init__(function)
        self.weight = nn.Parameter(torch.rand(shape))
        self.bias = nn.Parameter(torch.rand(shape[-2]))

    def forward(self, *args: Tensor) -> Any:
        return self.function(self, *args)


def test_a_product_with_a_parameter_reads_a_weight() -> None:
    model = nn.Sequential(Holds(lambda me, x: nn.functional.linear(x, me.weight, me.bias), 5, 4))
    counts = count_pass(model, lambda: model(torch.rand(3, 4)), variant="asa", loose=True)
    [row] = counts.layers
    assert (row.name, row.kind) == ("0.(addmm)", "addmm")
    assert row.tally == linear(3, 4, 5, bias=True)


def test_of_a_stack_of_weights_the_parts_are_read_that_are_used() -> None:
    def experts(me: Holds, x: Tensor) -> Tensor:
        # Two of three experts have tokens: one with 2, one with 1, one with none.
        return torch.cat([x[:2] @ me.weight[0].T, x[2:] @ me.weight[1].T, x[3:] @ me.weight[2].T])

    model = nn.Sequential(Holds(experts, 3, 5, 4))
    counts = count_pass(model, lambda: model(torch.rand(3, 4)), variant="asa", loose=True)
    [row] = counts.layers
    assert row.ops[Op.WEIGHT_READ] == 2 * 5 * 4
    assert row.ops[Op.MAC] == 3 * 5 * 4


def test_a_convolution() -> None:
    layer = nn.Conv1d(6, 6, 4, groups=6, padding=3)
    model = nn.Sequential(layer)
    counts = count_pass(model, lambda: model(torch.rand(2, 6, 5)), variant="asa", loose=True)
    [row] = counts.layers
    # 5 + 2 x 3 - 4 + 1 = 8 positions, 6 channels of 4 weights each, 2 sequences
    assert (row.name, row.ops[Op.MAC]) == ("0.(convolution)", 2 * 6 * 8 * 4)
    assert (row.ops[Op.WEIGHT_READ], row.ops[Op.VECTOR_READ]) == (6 * 4, 6)


def test_products_of_one_module_share_a_row() -> None:
    [row] = count(lambda x, y: (x @ y) @ y.T, (2, 3), (3, 5)).layers
    assert (row.calls, row.ops[Op.MAC]) == (2, 60)


def test_an_operation_that_is_not_known_is_refused_all_the_same() -> None:
    with pytest.raises(UncountedOperation, match="convolution in '0'"):
        count(lambda x, w: nn.functional.conv_transpose1d(x, w), (1, 3, 5), (3, 2, 2))


def test_counted_layers_are_not_counted_twice() -> None:
    layer = nn.Linear(4, 5)
    model = nn.Sequential(layer, Runs(lambda x: x @ x.T))
    counts = count_pass(model, lambda: model(torch.ones(3, 4)), variant="asa", loose=True)
    assert [(x.name, x.ops[Op.MAC]) for x in counts.layers] == [("0", 60), ("1.(mm)", 45)]
