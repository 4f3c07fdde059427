from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemaire_paper import Conv, dense_conv, spiking_conv, spiking_linear

from energy.literature.lemaire import (
    LEMAIRE,
    PRINTED,
    Costs,
    Terms,
    Variant,
    dense_linear,
    neurons,
    synapses,
)

SIZE = st.integers(1, 64)
THETA = st.integers(0, 10**6)


# One time step, 4-byte words, queues of 1000 words. By hand, for linear 8 -> 16 and one spike:
# acc 16 + 16, addressing 16: 48 * 0.1 = 4.8; queue 10 * 4000 / 8192 = 4.8828125; weights
# 32 * 10 * 576 / 8192 = 22.5; potentials 2 * 32 * 10 * 64 / 8192 = 5; together 37.1828125.
# As printed, 8 * 16 additions instead of 16: 112 * 0.1 = 11.2 more.
# The third row has 24 output spikes: 2.4 pJ of resets, which Eq. 2.4 as printed lacks.
@pytest.mark.parametrize(
    ("shape", "theta", "theta_out", "leak", "printed_pj", "corrected_pj"),
    [
        ((8, 16), 1, 0, False, 48.3828125, 37.1828125),
        ((16, 16), 4, 0, True, 299.88125, 203.88125),
        ((32, 24), 12, 24, False, 2408.26875, 1517.86875),
    ],
)
def test_the_oracle_rows(
    shape: tuple[int, int],
    theta: int,
    theta_out: int,
    leak: bool,
    printed_pj: float,
    corrected_pj: float,
) -> None:
    found = [
        spiking_linear(*shape, theta, theta_out, timesteps=1, leak=leak, variant=v).pj(Costs())
        for v in (PRINTED, LEMAIRE)
    ]
    assert found == pytest.approx([printed_pj, corrected_pj], rel=1e-14)


def test_the_resets_are_a_switch() -> None:
    with_resets, without = (
        spiking_linear(32, 24, 12, 24, timesteps=1, leak=False, variant=v)
        for v in (LEMAIRE, Variant("without", resets=False))
    )
    assert with_resets.acc - without.acc == 24
    assert without.pj(Costs()) == pytest.approx(1515.46875, rel=1e-14)


def test_a_dense_layer() -> None:
    assert dense_linear(3, 5) == Terms(
        mac=15,
        acc=5,
        read_in=3,
        read_weights=20,
        write_out=5,
        address_acc=15,
        in_words=3,
        weight_words=20,
        out_words=5,
    )
    assert dense_linear(3, 5, bias=False) == Terms(
        mac=15,
        read_in=3,
        read_weights=15,
        write_out=5,
        address_acc=15,
        in_words=3,
        weight_words=15,
        out_words=5,
    )


def test_a_dense_convolution() -> None:
    # 2 -> 4 channels, 6 x 5 -> 4 x 3, kernel 3: 48 outputs of 18 products each.
    found = dense_conv(Conv((2, 4), (6, 5, 4, 3), 3))
    assert found == Terms(
        mac=48 * 18,
        acc=48,
        read_in=48 * 18,
        read_weights=48 * 18 + 48,
        write_out=48,
        address_acc=60 + 48 + 4 * 9,
        in_words=60,
        weight_words=2 * 4 * 9 + 4,
        out_words=48,
    )


def test_a_spiking_convolution() -> None:
    # The same, with stride 2 (6 x 5 -> 2 x 2: 16 outputs), 7 spikes in, 3 out, 5 time steps:
    # each spike reaches ceil(3 / 2)^2 = 4 places of 4 channels and fetches 9 weights of each.
    conv = Conv((2, 4), (6, 5, 2, 2), 3, stride=2)
    found = spiking_conv(conv, 7, 3, timesteps=5, leak=True)
    assert found == Terms(
        mac=80,
        acc=7 * 4 * 4 + 80 + 3,
        read_in=7,
        read_weights=7 * 36 + 80,
        potentials=7 * 36 + 80,
        write_out=3,
        address_mac=14,
        address_acc=7 * 36,
        in_words=1000,
        weight_words=76,
        potential_words=16,
        out_words=1000,
    )
    assert spiking_conv(conv, 7, 3, timesteps=5, leak=False).mac == 0


@given(SIZE, SIZE, THETA, THETA, st.integers(1, 16), st.booleans(), st.booleans())
def test_a_spiking_layer_is_its_synapses_and_its_neurons(
    fan_in: int, fan_out: int, theta: int, out: int, steps: int, leak: bool, bias: bool
) -> None:
    for variant in (LEMAIRE, PRINTED):
        whole = spiking_linear(
            fan_in, fan_out, theta, out, timesteps=steps, leak=leak, bias=bias, variant=variant
        )
        updates = steps * fan_out
        halves = (
            synapses(fan_in, fan_out, theta, biases=bias * updates, variant=variant),
            neurons(updates, fan_out, out, leak=leak, variant=variant),
        )
        assert whole.pj(Costs()) == pytest.approx(sum(half.pj(Costs()) for half in halves))


@given(SIZE, SIZE, THETA)
def test_the_printed_equation_adds_a_factor_of_the_inputs(
    fan_in: int, fan_out: int, theta: int
) -> None:
    printed, corrected = (
        synapses(fan_in, fan_out, theta, biases=0, variant=v) for v in (PRINTED, LEMAIRE)
    )
    assert printed.acc == fan_in * corrected.acc
    assert printed.read_weights == corrected.read_weights


@given(SIZE, SIZE, st.integers(1, 9))
def test_rows_add(fan_in: int, fan_out: int, rows: int) -> None:
    one, many = (dense_linear(fan_in, fan_out, rows=n).pj(Costs()) for n in (1, rows))
    assert many == pytest.approx(rows * one)
