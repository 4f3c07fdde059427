from __future__ import annotations

import pytest

from energy import Counts, LayerCount, Tally
from energy.compare.touched import touched
from hwmodels import Op


def counts(**about: object) -> Counts:
    """Two calls of 3 sequences: a matrix of 40 weights of which a token needs half, and one of 60
    of which it needs all; and one at which nobody looked."""
    half = Tally({Op.AC: 120, Op.WEIGHT_READ: 80}).seen(70, 6 * 20)
    whole = Tally({Op.AC: 360, Op.WEIGHT_READ: 120}).seen(120, 6 * 60)
    dense = Tally({Op.MAC: 9, Op.WEIGHT_READ: 200})
    rows = [LayerCount(str(i), "", calls=2, tally=x) for i, x in enumerate((half, whole, dense))]
    return Counts("ssa", tuple(rows), phase="decode@8", batch=3, tokens=6, **about)  # type: ignore[arg-type]


def test_a_batch_needs_what_independent_tokens_need() -> None:
    found = touched(counts())
    assert found is not None
    assert found.at(1) == pytest.approx((20 + 60) / 100)
    assert found.at(3) == pytest.approx((40 * (1 - 0.5**3) + 60) / 100)  # 95 %
    assert found.union == pytest.approx((70 + 120) / 200)  # counted: 95 %
    # 1 - 0.4 x 0.5^n is above 99 % where 0.5^n < 0.025: n = 6
    assert found.batch_of(0.99) == 6
    assert found.batch_of(0.5) == 1
    assert found.batch_of(1.0) is None


def test_where_nobody_looked_nothing_is_known() -> None:
    assert touched(Counts("asa", counts().layers[2:], tokens=6)) is None
    assert touched(Counts("asa", ())) is None
