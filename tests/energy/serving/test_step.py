from __future__ import annotations

import pytest

from energy.serving.step import Step
from hwmodels.wholechip import LONG_CONTEXT, Kind, Work


def made(gpus: int, context: float) -> Step:
    return Step(
        kind=Kind.EXPERTS,
        sequences=4,
        gpus=gpus,
        weight_bytes=100,
        cache_bytes=20,
        macs=30,
        activation_bytes=8,
        tokens=5,
        sublayers=6,
        width=10,
        context=context,
        expert_tokens=40,
    )


def test_amounts_on_two_gpus_by_hand() -> None:
    assert made(2, LONG_CONTEXT + 100).amounts == {
        Work.STEP: 2,  # one on each GPU
        Work.WEIGHT_BYTE: 100,
        Work.CACHE_BYTE: 20,
        Work.MAC: 30,
        Work.ACTIVATION_BYTE: 8,
        Work.TOKEN: 10,  # 2 x 5
        Work.OUTPUT_TOKEN: 8,  # 2 x 4
        Work.SUBLAYER: 12,  # 2 x 6
        Work.SUBLAYER_TOKEN: 30,  # 6 x 5
        Work.EXPERT_TOKEN: 40,
        Work.ALL_REDUCE: 12,  # 2 x 6
        Work.ALL_REDUCE_BYTE: 1200,  # 2 (G - 1) x 30 x 10 values of 2 bytes
        Work.LONG_CONTEXT: 200,  # 2 x 100
    }


def test_one_gpu_shares_nothing_and_a_short_context_is_not_long() -> None:
    amounts = made(1, 10).amounts
    assert [amounts[x] for x in (Work.ALL_REDUCE, Work.ALL_REDUCE_BYTE, Work.LONG_CONTEXT)] == [
        *(0, 0, 0)
    ]
    assert set(amounts) == set(Work)
    assert amounts[Work.STEP] == pytest.approx(1)
