from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from servers import JOULES, MODELS, SECONDS, points

from energy.serving.doubt import Off, student
from energy.serving.fit import FitError, fit
from energy.serving.otherwise import otherwise
from energy.serving.points import Point, Sample, Target
from energy.serving.selection import BASE, choose, errors
from energy.serving.unseen import mean_of, unseen
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
    left_out = sample.predicted_left_out(BASE)
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
    assert found.power_off is not None
    assert found.power_off.ratios == pytest.approx(np.ones(len(found.points)))
    assert found.step is not None
    assert found.step.rate_error() == pytest.approx(0, abs=1e-9)


def test_times_that_few_points_have_get_no_price() -> None:
    some = [replace(x, latency_s=None, rate=None) for x in points()]
    found = fit(some)
    assert (found.latency, found.step, found.power_off) == (None, None, None)
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


def of_models(logs: dict[str, list[float]]) -> Off:
    """Measured over predicted by model, from logarithms."""
    models = [model for model, values in logs.items() for _ in values]
    ratios = np.exp([value for values in logs.values() for value in values])
    return Off(np.array(models, dtype=object), ratios)


def test_an_interval_by_hand() -> None:
    # Means of three models -0.1, 0.1, 0.3, each of two points 0.1 beside it: 2 x 0.01 inside each,
    # 0.06 / 3 degrees of freedom = 0.02; variance of means 0.04, of which 0.02 / 2 is chance.
    off = of_models({"a": [-0.2, 0.0], "b": [0.0, 0.2], "c": [0.2, 0.4]})
    wide = 2.919986 * (0.03 * (1 + 1 / 3) + 0.02) ** 0.5  # t of two degrees of freedom, 95 %
    assert off.interval == pytest.approx((np.exp(0.1 - wide), np.exp(0.1 + wide)))


def test_models_that_do_not_differ_leave_the_spread_of_points() -> None:
    off = of_models({name: [-0.1, 0.1] for name in "abcdefghij"})
    # 20 x 0.01 over 10 degrees of freedom; t of nine is 1.833.
    assert np.log(off.interval) == pytest.approx([-1.833 * 0.02**0.5, 1.833 * 0.02**0.5], rel=1e-3)


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 6.3138), (2, 2.9200), (3, 2.3534), (9, 1.8331), (30, 1.6973)]
)
def test_quantiles_are_those_of_a_table_of_student(freedom: int, t: float) -> None:
    # Abramowitz and Stegun, table 26.10: A = 0.90, of both sides.
    assert student(0.95, freedom) == pytest.approx(t, abs=5e-5)


def test_nine_tenths_of_unseen_models_lie_inside_an_interval() -> None:
    # Models of random effects, drawn again and again: what the interval is made for.
    rng, inside = np.random.default_rng(0), []
    for _ in range(400):
        means = rng.normal(0, 0.2, 11)
        points = {str(i): list(mean + rng.normal(0, 0.1, 8)) for i, mean in enumerate(means)}
        last = np.exp(points.pop("10"))
        low, high = of_models(points).interval
        inside.append(np.mean((low <= last) & (last <= high)))
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)


def noisy() -> list[Point]:
    rng = np.random.default_rng(1)
    return [replace(x, energy_j=x.energy_j * rng.uniform(0.9, 1.1)) for x in points()]


def test_an_unseen_model_takes_no_part_in_anything() -> None:
    found = unseen(Sample.of(Target.ENERGY, noisy()))
    assert [x.model for x in found] == list(MODELS)
    others = [x for x in noisy() if x.model != "wide"]
    wide = Sample.of(Target.ENERGY, [x for x in noisy() if x.model == "wide"])
    alone = Sample.of(Target.ENERGY, others)
    works = choose(alone)[-1].works
    assert found[-1].works == works
    error = np.abs(wide.predicted(alone.fit(works)) - 1).mean()
    assert found[-1].error == pytest.approx(error)
    assert mean_of(found, "error") == pytest.approx(np.mean([x.error for x in found]))
    two = [x for x in points() if x.model in ("small", "wide")]
    assert unseen(Sample.of(Target.ENERGY, two)) == ()
    assert mean_of((), "held") is None


def test_sums_over_models_give_the_prices_of_their_points() -> None:
    sample = Sample.of(Target.ENERGY, noisy())
    inside = sample.where(model="large")
    expected = sample.only(~inside).fit(BASE)
    assert sample.fit_without(BASE, model="large") == pytest.approx(expected)
    assert sample.fit(BASE, (~inside).astype(float)) == pytest.approx(expected)


def test_a_fit_without_a_work_is_one_thing_otherwise() -> None:
    given = points({Work.SUBLAYER_TOKEN: 5e-4})
    as_it_is, without = otherwise("", given), otherwise("", given, {Work.SUBLAYER_TOKEN})
    assert as_it_is.energy == pytest.approx(0, abs=1e-9)
    assert without.energy > 0.02
    assert as_it_is.prices[Work.STEP] == pytest.approx(JOULES[Work.STEP])
    assert as_it_is.latency == pytest.approx(0, abs=1e-9)
    assert as_it_is.dense is not None
    assert otherwise("", [replace(x, rate=None) for x in given]).rate is None
