"""Events at each position of feature maps, however few positions there are."""

from __future__ import annotations

import pytest
import torch

from energy.counts import Levels
from energy.network.planes import count_planes

#: One, several and no rows of a pass left over, one position, and more positions than a pass takes.
SHAPES = [(3, 7, 5, 5), (2, 1031, 1, 1), (9, 64, 8, 8), (1, 1, 60, 60), (2, 300, 46, 46)]


@pytest.mark.parametrize("levels", [Levels.BINARY, Levels.COUNT])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_position_has_the_sum_over_all_else(shape: tuple[int, ...], levels: Levels) -> None:
    draw = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 2 if levels is Levels.BINARY else 9, shape, generator=draw).float()
    found = count_planes(maps, levels)
    assert found is not None
    expected = maps.double().sum((0, 1)).flatten()  # whole numbers, exact in both
    assert torch.equal(torch.from_numpy(found).double(), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", [0, -1])  # in the first row, or in what is left over
def test_another_value_is_found_wherever_it_is(shape: tuple[int, ...], where: int) -> None:
    for wrong in (2.0, 0.5, -1.0, float("nan")):
        maps = torch.ones(shape)
        maps.view(-1)[where] = wrong
        assert count_planes(maps, Levels.BINARY) is None
    maps = torch.ones(shape)
    maps.view(-1)[where] = -0.0  # is zero
    found = count_planes(maps, Levels.BINARY)
    assert found is not None
    assert found.sum() == maps.numel() - 1
