from __future__ import annotations

import pytest

from energy.compare.thresholds import (
    THRESHOLDS,
    YAN_FITTED_PJ,
    YAN_RATES,
    PublishedRate,
    compute_only_needs,
    compute_only_rate,
    yan_rate,
)


def reconstructed(published: PublishedRate) -> float:
    weight_pj, rest_pj = YAN_FITTED_PJ[published.weight_bits]
    return yan_rate(published.timesteps, weight_pj=weight_pj, rest_pj=rest_pj)


DOES_NOT_FIT = PublishedRate(8, 1, 0.297)


@pytest.mark.parametrize("published", [x for x in YAN_RATES if x != DOES_NOT_FIT], ids=str)
def test_four_printed_rates_are_met_to_three_digits(published: PublishedRate) -> None:
    # 4 bits, T = 5, 3-bit twin: (3 x 0.25 + 0.125 + 0.036) / (5 x (3 + 0.125 + 0.05448)) = 0.0573
    assert round(reconstructed(published), 3) == published.rate


def test_the_printed_rate_at_one_time_step_is_not_met() -> None:
    # (0.25 + 0.313 + 0.016) / (3 + 0.313 + 0.05448) = 0.172, printed: 0.297
    assert DOES_NOT_FIT in YAN_RATES
    assert reconstructed(DOES_NOT_FIT) == pytest.approx(0.1719, abs=5e-5)


def test_what_the_literature_says() -> None:
    assert [(t.key, t.low, t.high) for t in THRESHOLDS] == [
        ("davidson_furber_2021", 1.72, 1.72),
        ("dampfhoffer_2023", 0.15, 1.38),
        # 2 x 0.104 to 1 x 0.297
        ("yan_2024", pytest.approx(0.208), pytest.approx(0.297)),
    ]
    assert all(t.source and t.note and t.evidence for t in THRESHOLDS)


@pytest.mark.parametrize(
    ("spikes", "stands"),
    [
        (0.1, ["below", "below", "below"]),
        (0.25, ["below", "within", "within"]),
        (1.6, ["below", "above", "above"]),  # T = 16 at rate 0.1
        (1.72, ["above", "above", "above"]),
    ],
)
def test_where_a_layer_stands(spikes: float, stands: list[str]) -> None:
    assert [threshold.stands(spikes) for threshold in THRESHOLDS] == stands


def test_compute_only_conditions() -> None:
    assert compute_only_rate(4.6 / 0.9, 4) == pytest.approx(1.2778, abs=5e-5)
    assert compute_only_rate(4.0, 4, sparsity=0.5) == 0.5
    assert compute_only_needs(4) == {"best": 1, "average": 2.5, "worst": 4}
    assert set(compute_only_needs(1).values()) == {1}
