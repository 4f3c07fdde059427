from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import Counts, UncountedOperation, count_pass
from hwmodels import Op


class Runs(nn.Module):
    """A model that is a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


def count(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Counts:
    model, args = nn.Sequential(Runs(function)), [torch.rand(shape) for shape in shapes]
    return count_pass(model, lambda: model[0](*args), variant="asa", loose=True)


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


def test_the_softmax_of_a_fused_attention_is_reported_as_uncounted() -> None:
    attend = nn.functional.scaled_dot_product_attention
    counts = count(lambda *x: attend(*x), (1, 4, 2, 8), (1, 4, 6, 8), (1, 4, 6, 8))
    [row] = counts.layers
    assert row.ops[Op.MAC] == 4 * 2 * 6 * (8 + 8)
    assert counts.uncounted == {row.kind: 1}


def test_products_of_one_module_share_a_row() -> None:
    [row] = count(lambda x, y: (x @ y) @ y.T, (2, 3), (3, 5)).layers
    assert (row.calls, row.ops[Op.MAC]) == (2, 60)


def test_an_operation_that_is_not_known_is_refused_all_the_same() -> None:
    with pytest.raises(UncountedOperation, match="convolution in '0'"):
        count(lambda x, w: nn.functional.conv1d(x, w), (1, 2, 5), (3, 2, 2))


def test_counted_layers_are_not_counted_twice() -> None:
    layer = nn.Linear(4, 5)
    model = nn.Sequential(layer, Runs(lambda x: x @ x.T))
    counts = count_pass(model, lambda: model(torch.ones(3, 4)), variant="asa", loose=True)
    assert [(x.name, x.ops[Op.MAC]) for x in counts.layers] == [("0", 60), ("1.(mm)", 45)]
