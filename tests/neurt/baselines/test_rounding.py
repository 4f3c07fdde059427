from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurt.baselines.rounding import affine, by_channel, by_group, least_squares, symmetric


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 9), st.integers(1, 300), st.integers(0, 9))
def test_weights_of_8_bits_are_those_of_torch(outputs: int, inputs: int, seed: int) -> None:
    weight = drawn(outputs, inputs, seed=seed)
    found = by_channel(weight)
    zero = torch.zeros(outputs, dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(
        weight, found.scale.flatten(), zero, 0, -127, 127
    )
    assert torch.equal(found.scale.flatten(), (weight.abs().amax(1) / 127).half().float())
    # Torch multiplies by 1 / scale, so that a value in the middle of two may go to the other one.
    close = (found.values(torch.float32) - expected).abs() <= 1.001 * found.scale[:, 0]
    assert bool(close.all())
    assert float((found.values(torch.float32) != expected).float().mean()) < 0.01 + 1 / 300


@given(st.integers(1, 5), st.integers(1, 300), st.integers(0, 9))
def test_weights_of_4_bits_are_those_of_torch_group_by_group(
    outputs: int, inputs: int, seed: int
) -> None:
    weight = drawn(outputs, inputs, seed=seed) + 0.3
    found = by_group(weight)
    values = found.values(torch.float32)
    assert values.shape == weight.shape
    for group in range(found.scale.shape[1]):
        part = slice(128 * group, 128 * (group + 1))
        scale, zero = found.scale[:, group, 0], found.zero[:, group, 0]
        rows = weight[:, part]
        low, high = rows.amin(1).clamp(max=0), rows.amax(1).clamp(min=0)
        if rows.shape[1] < 128:  # padded with zeros, which are in every range
            assert bool((zero >= 0).all())
        assert torch.equal(scale, ((high - low) / 15).half().float())
        expected = torch.fake_quantize_per_channel_affine(rows, scale, zero.int(), 0, 0, 15)
        assert bool(((values[:, part] - expected).abs() <= 1.001 * scale[:, None]).all())
        assert float((values[:, part] != expected).float().mean()) < 0.05


def test_weights_of_4_bits_in_numbers() -> None:
    # Range -1 to 14 in 15 steps of 1: the zero point is 1. 0.4 goes to 0, 6.6 to 7.
    found = by_group(torch.tensor([[-1.0, 0.4, 6.6, 14.0]]))
    assert found.scale.tolist() == [[[1.0]]]
    assert found.zero.tolist() == [[[1.0]]]
    assert found.codes[0, 0, :4].tolist() == [0, 1, 8, 15]
    assert found.values(torch.float32).tolist() == [[-1.0, 0.0, 7.0, 14.0]]
    assert found.codes.dtype is torch.uint8


def test_each_group_has_its_own_scale() -> None:
    weight = torch.cat([torch.full((1, 128), 15.0), torch.full((1, 2), 150.0)], dim=1)
    assert by_group(weight).scale.flatten().tolist() == [1.0, 10.0]
    assert torch.equal(by_group(weight).values(torch.float32), weight)


def test_activations_of_8_bits_are_rounded_token_by_token() -> None:
    # The largest of a row becomes 127: 1.27 and 12.7, so that a step is 0.01 and 0.1.
    x = torch.tensor([[1.27, 0.014, -0.016], [12.7, 0.014, -0.16]])
    expected = torch.tensor([[1.27, 0.01, -0.02], [12.7, 0.0, -0.2]])
    torch.testing.assert_close(symmetric(x), expected)
    rows = drawn(6, 40)
    scale = rows.abs().amax(1) / 127
    torch.testing.assert_close(
        symmetric(rows),
        torch.fake_quantize_per_channel_affine(
            rows, scale, torch.zeros(6, dtype=torch.int32), 0, -127, 127
        ),
    )


@pytest.mark.parametrize("function", [symmetric, lambda x: affine(x, 3)])
def test_a_row_of_zeros_stays_one(function) -> None:  # type: ignore[no-untyped-def]
    assert torch.equal(function(torch.zeros(2, 5)), torch.zeros(2, 5))


@given(st.integers(1, 8), st.integers(0, 9))
def test_few_bits_are_few_values_and_zero_is_one_of_them(bits: int, seed: int) -> None:
    x = drawn(3, 50, seed=seed)
    x[:, 7] = 0
    rounded = affine(x, bits)
    assert all(len(row.unique()) <= 2**bits for row in rounded)
    assert bool((rounded[:, 7] == 0).all())
    step = (x.amax(1) - x.amin(1)) / (2**bits - 1)
    assert bool(((rounded - x).abs().amax(1) <= 1.001 * step).all())


def test_ranges_fit_the_samples_better_than_their_ends_do() -> None:
    # Of 2 bits: 0, 1, 2, 3 need no rounding. An outlier is cut where that serves the others.
    exact = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    scale, low = least_squares(exact, 2)
    assert (scale.tolist(), low.tolist()) == ([1.0], [0.0])
    samples = torch.cat([drawn(1000, 1), torch.tensor([[100.0]])])
    scale, low = least_squares(samples, 4)
    widest = (samples.amax() - samples.amin()) / 15
    assert float(scale) < float(widest)


def test_a_channel_without_a_range_is_not_divided_by_zero() -> None:
    scale, low = least_squares(torch.full((4, 2), 3.0), 3)
    assert bool((scale > 0).all())
    assert low.tolist() == [3.0, 3.0]
