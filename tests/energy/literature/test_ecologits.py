from __future__ import annotations

import pytest

from energy.literature.ecologits import ecologits_j, gpus_required


def test_the_gpus_that_a_model_needs() -> None:
    # 1.2 x 2 bytes x 70e9 = 168 GB: three GPUs of 80 GB, rounded up to four.
    assert [gpus_required(n * 1e9) for n in (8, 33, 34, 70, 405)] == [1, 1, 2, 4, 16]


def test_the_formula_by_hand() -> None:
    # 1.1665273e-6 x exp(-0.0112059 x 64) x 8 + 4.0529281e-5 Wh, x 3,600 s
    #   = (9.3322e-6 x 0.488116 + 4.052928e-5) x 3600 = 4.508449e-5 x 3600 = 0.162304 J
    assert ecologits_j(8e9, 8e9, 64) == pytest.approx(0.162304, rel=1e-5)
    assert ecologits_j(8e9, 70e9, 64) == pytest.approx(4 * 0.162304, rel=1e-5)
