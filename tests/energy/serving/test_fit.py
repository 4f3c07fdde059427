from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from servers import JOULES, MODELS, SECONDS, points

from energy.serving.doubt import Off, held, interval
from energy.serving.fit import FitError, fit
from energy.serving.points import Sample, Target, by_model
from energy.serving.selection import BASE, choose, errors
from hwmodels.wholechip import Kind, Work


def test_prices_that_made_the_points_are_found_again() -> None:
    found = fit(points())
    assert found.energy.works == BASE
    for work in BASE:
        assert found.energy.price(work) == pytest.approx(JOULES[work], rel=1e-6)
        assert found.latency is not None
        assert found.latency.price(work) == pytest.approx(SECONDS[work], rel=1e-6)
    assert found.energy.error() == pytest.approx(0, abs=1e-9)
    assert found.energy.interval == pytest.approx((1, 1))
    low, high = found.energy.spread[Work.MAC] or (0, 0)
    assert (low, high) == (pytest.approx(1), pytest.approx(1))


def test_a_work_gets_a_price_where_it_explains_unseen_models() -> None:
    found = fit(points({Work.SUBLAYER_TOKEN: 5e-4}))
    assert found.energy.works == (*BASE, Work.SUBLAYER_TOKEN)
    assert found.energy.price(Work.SUBLAYER_TOKEN) == pytest.approx(5e-4)
    assert [len(tried.works) for tried in found.energy.tried] == [4, 5]
    assert found.energy.tried[0].error > 0.02 > found.energy.tried[1].error


def test_what_no_point_does_gets_no_price() -> None:
    alone = [x for x in points() if x.step.gpus == 1]
    tried = choose(Sample.of(Target.ENERGY, alone))
    assert not {Work.ALL_REDUCE, Work.ALL_REDUCE_BYTE} & set(tried[-1].works)


def test_an_error_is_of_a_fit_without_the_model() -> None:
    # All points of one model cost twice as much: the others predict half, an error of 50 %.
    changed = [replace(x, energy_j=(1 + (x.model == "wide")) * x.energy_j) for x in points()]
    sample = Sample.of(Target.ENERGY, changed)
    left_out = sample.predicted_left_out(BASE, by_model)
    inside = np.array([x.model == "wide" for x in changed])
    assert left_out[inside] == pytest.approx(0.5)
    assert left_out[~inside] != pytest.approx(1)


def test_models_of_one_architecture_are_left_out_together() -> None:
    same = [replace(x, architecture="one") for x in points()]
    tried = errors(Sample.of(Target.ENERGY, same), BASE)
    assert tried.model == tried.architecture  # there is no other to learn from
    two = [replace(x, architecture=x.model[0] == "w") for x in points()]  # type: ignore[arg-type]
    assert errors(Sample.of(Target.ENERGY, two), BASE).architecture == pytest.approx(0, abs=1e-9)


def test_power_is_off_by_what_energy_and_time_are() -> None:
    found = fit([replace(x, rate=1.1 * (x.rate or 0)) for x in points()])
    assert [x.ratio for x in found.power_off] == pytest.approx([1] * len(found.points))
    assert found.step is not None
    assert found.step.rate_error() == pytest.approx(0, abs=1e-9)


def test_times_that_few_points_have_get_no_price() -> None:
    some = [replace(x, latency_s=None, rate=None) for x in points()]
    found = fit(some)
    assert (found.latency, found.step, found.power_off) == (None, None, [])
    assert found.models == dict.fromkeys(MODELS, Kind.DENSE) | {"wide": Kind.EXPERTS}


def test_too_few_points_and_one_model_are_refused() -> None:
    with pytest.raises(FitError, match=r"^3 measured points are too few: a fit needs 8, of two"):
        fit(points()[:3])
    with pytest.raises(FitError, match=r"^all 8 points are of 'small': what prices are worth"):
        fit(points(models=("small",)))


def test_the_same_seed_gives_the_same_spreads() -> None:
    noisy = [replace(x, energy_j=x.energy_j * (1 + i % 3 / 10)) for i, x in enumerate(points())]
    assert fit(noisy, seed=3).energy.spread == fit(noisy, seed=3).energy.spread
    assert fit(noisy, seed=3).energy.spread != fit(noisy, seed=4).energy.spread


def test_an_interval_holds_nine_tenths() -> None:
    off = [Off(str(i % 4), 1 + i / 100) for i in range(101)]  # 1.00 to 2.00
    assert interval(off) == (pytest.approx(1.05), pytest.approx(1.95))
    # Of each of the four models the others leave a tenth out.
    assert held(off) == pytest.approx(0.9, abs=0.03)
