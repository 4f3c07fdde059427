from __future__ import annotations

import pytest
from servers import JOULES, SECONDS, step, total

from energy.serving.predict import predict
from hwmodels.prices import Evidence
from hwmodels.wholechip import (
    EnergyCost,
    Fitted,
    Intervals,
    TimeCost,
    WholeChip,
    Work,
)

CITED = {"source": "a test", "evidence": Evidence.DERIVED}
FITTED = Fitted(points=9, models=2, sequences=(8.0, 64.0), context=(1.0, 9.0), gpus=(1, 2))


def chip(*, timed: bool = True, steps: bool = True) -> WholeChip:
    times = {x: TimeCost(ps=1e12 * s, **CITED) for x, s in SECONDS.items()}
    return WholeChip(
        boundary="GPUs",
        energy={x: EnergyCost(pj=1e12 * j, **CITED) for x, j in JOULES.items()},
        latency=times if timed else {},
        step={x: TimeCost(ps=2 * y.ps, **CITED) for x, y in times.items()} if steps else {},
        fitted=FITTED,
        intervals=Intervals(energy=(0.9, 1.1), latency=(0.8, 1.3), rate=(0.5, 2.0)),
    )


def test_energy_time_rate_and_power_are_sums_of_their_parts() -> None:
    done = step(sequences=16, gpus=2)
    found = predict(done, chip())
    joules, seconds = total(JOULES, done.amounts), total(SECONDS, done.amounts) / 2
    assert found.energy_j.value == pytest.approx(joules / 16)
    assert sum(part.energy_j for part in found.parts) == pytest.approx(joules / 16)
    assert found.latency_s is not None
    assert found.latency_s.value == pytest.approx(seconds)
    assert found.tokens_per_s is not None
    assert found.power_w is not None
    assert found.tokens_per_s.value == pytest.approx(16 / (2 * seconds))  # a step takes twice that
    assert found.power_w.value == pytest.approx(joules / (2 * seconds))


def test_intervals_are_shares_of_the_prediction_and_none_where_nobody_measured() -> None:
    found = predict(step(), chip())
    energy, latency = found.energy_j, found.latency_s
    assert (energy.low, energy.high) == (
        pytest.approx(0.9 * energy.value),
        pytest.approx(1.1 * energy.value),
    )
    assert latency is not None
    assert latency.high == pytest.approx(1.3 * latency.value)
    assert found.power_w is not None
    assert found.power_w.low is None


def test_without_times_of_steps_those_between_tokens_stand_for_them() -> None:
    found = predict(step(sequences=16), chip(steps=False))
    assert found.tokens_per_s is not None
    assert found.latency_s is not None
    assert found.tokens_per_s.value == pytest.approx(16 / found.latency_s.value)


def test_without_any_time_energy_alone_is_known() -> None:
    found = predict(step(), chip(timed=False, steps=False))
    assert (found.latency_s, found.tokens_per_s, found.power_w) == (None, None, None)
    assert {part.latency_s for part in found.parts} == {None}
    assert {part.work for part in found.parts} == set(JOULES)


def test_what_takes_time_and_no_energy_is_a_part_too() -> None:
    whole = chip()
    slow = whole.model_copy(
        update={"latency": {**whole.latency, Work.SUBLAYER: TimeCost(ps=1e6, **CITED)}}
    )
    [part] = [x for x in predict(step(), slow).parts if x.work is Work.SUBLAYER]
    assert part.energy_j == 0
    assert part.latency_s == pytest.approx(40 * 1e-6)  # 40 blocks of a microsecond each
