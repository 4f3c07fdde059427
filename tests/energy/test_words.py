from __future__ import annotations

import pytest

from energy.words import change, energy, integer, number, op_amounts, op_names, percent
from hwmodels import Op


@pytest.mark.parametrize(
    ("pj", "digits", "text"),
    [
        (None, 4, "unpriced"),
        (0.0, 4, "0 pJ"),
        (4.6, 4, "4.6 pJ"),
        (1234.5678, 4, "1.235 nJ"),
        (6.142e13, 3, "61.4 J"),
        (-5e6, 4, "-5 µJ"),
        (999_960, 3, "1 µJ"),  # as rounded, so never 1e+03 nJ
        (999.4e3, 3, "999 nJ"),
        (1.23456e17, 4, "123,456 J"),  # no unit beyond the joule
    ],
)
def test_energies_have_units_that_fit(pj: float | None, digits: int, text: str) -> None:
    assert energy(pj, digits) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0.00 %"), (0.84348, "84.35 %"), (-0.5646, "-56.46 %"), (1.0, "100.00 %")],
)
def test_a_share_is_a_percentage(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_changes_and_numbers() -> None:
    assert (change(0.097), change(-0.5, 1), change(None)) == ("+9.70 %", "-50.0 %", "-")
    assert (number(0.12345), number(None), integer(1234567), integer(None)) == (
        *("0.123", "-"),
        *("1,234,567", "-"),
    )


def test_what_is_left_below_zero_is_no_minus_zero() -> None:
    # -4e-6 is -0.0004 %.
    assert (percent(-4e-6), change(-4e-6), number(-4e-6)) == ("0.00 %", "+0.00 %", "0.000")


def test_operations() -> None:
    assert op_names([Op.MAC, Op.KV_READ]) == "mac kv_read_values"
    assert op_names([]) == ""
    assert op_amounts({Op.EXP: 1000, Op.SQRT: 2}) == "exp x 1,000, sqrt x 2"
