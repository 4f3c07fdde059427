"""Every terminal table of the product, as wide as terminals are: nothing is cut or split."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from maps import Costs, energy_map
from rich.console import Console

from energy import Counts
from energy.literature.claims import Claim
from energy.literature.lemaire_bill import lemaire
from energy.literature.review import review
from hwmodels import load_profile, profile_names
from reports import Run
from reports.breakeven.terminal import print_breakeven
from reports.compare.comparison import compare_runs
from reports.compare.table import print_comparison
from reports.count.run import CountRun
from reports.count.terminal import print_count
from reports.hardware.profile import list_profiles, print_differences, print_profile
from reports.kit.table import print_table
from reports.literature.claims import print_reviews
from reports.literature.lemaire import print_lemaire
from reports.map.table import print_maps
from reports.measured.lines import beside, shelf
from reports.measured.table import beside_table, print_lines, shelf_table
from reports.quality.evaluation import Comparison, Evaluation, LayerSimilarity, Quality
from reports.quality.sweep import SWEEP, Sweep
from reports.quality.sweep_terminal import print_sweep
from reports.quality.table import print_quality
from reports.reproduce.table import print_reproduction
from reports.sensitivity.study import Study
from reports.sensitivity.table import print_sensitivity
from reports.training.finetuned import Finetuned, Judged, Reading, stages_table
from reports.views.terminal import print_bills, print_run

#: Prints a screen, with the fixtures that it asks for.
Screen = Callable[[pytest.FixtureRequest, Console], None]


def large(counts: Counts) -> Counts:
    """The same with numbers of a large model."""

    def times(number: float) -> float:
        return number * 1_234_567_891

    return replace(
        counts,
        layers=tuple(
            replace(
                x,
                tally=x.tally._replace(
                    ops={op: times(n) for op, n in x.tally.ops.items()},
                    dense_macs=times(x.tally.dense_macs),
                ),
            )
            for x in counts.layers
        ),
    )


def of_run(fixtures: pytest.FixtureRequest, console: Console, *, details: bool) -> None:
    run: Run = fixtures.getfixturevalue("run")
    run = replace(run, asa=large(run.asa), ssa=large(run.ssa))
    print_run(run, console, details=details, written=[Path("runs/a") / "report.html"])


def of_count(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    counted = CountRun(large(run.asa), run.profiles, {}, {}, "now")
    print_count(counted, console, details=True)


def of_price(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    print_bills([bill for pair in run.estimates.values() for bill in pair], console)


def of_comparison(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    wide = fixtures.getfixturevalue("make_run")("45nm", width=16, model="a-model-of-a-long-name")
    print_comparison(compare_runs({"first": run, "the second of them": wide}), console)


def of_measured(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    print_lines(shelf_table(shelf()), console)
    print_lines(beside_table(beside({"first": run})), console)


def of_evaluation(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    layers = tuple(LayerSimilarity(x, *[0.98765] * 3, *[12345.6789] * 3) for x in range(2))
    quality = Quality(8191, 8191 * 9.0, 4000)
    compared = Comparison(quality, quality, 0.5, 0.125, 0.9, layers, run.asa, run.ssa, 64, 32, 3)
    conversion = {"form": "spikformer", "code": "multi_threshold"}
    print_quality(Evaluation(compared, conversion, "a", run.profiles, {}, {}, ""), console)


def of_sweep(_: pytest.FixtureRequest, console: Console) -> None:
    point = dict.fromkeys((column.name for column in SWEEP), 0.12345)
    point |= {"form": "spikformer", "code": "multi_threshold", "hw": "45nm-int8", "model": "m"}
    more = {"analog_perplexity": 12345.6, "spiking_perplexity": 1234567.8, "timesteps": 16}
    point |= more | {"perplexity_change": 99.0, "conversion": ""}
    names = ("", "teal=0.25", "teal=0.4", "wina=0.123457")
    kls = {"": 0.2, "teal=0.25": 0.1, "teal=0.4": 0.3, "wina=0.123457": 0.2}
    points = tuple(point | {"baseline": name, "kl_nats": kls[name]} for name in names)
    print_sweep(Sweep(points), console)


def of_reproduction(fixtures: pytest.FixtureRequest, console: Console) -> None:
    chosen = {"forms": ("spikformer", "softmax"), "codes": ("burst", "multi_threshold")}
    made = fixtures.getfixturevalue("make_reproduction")
    named = {"models": ("gpt2-nano",), "model": "a-large-model"}
    print_reproduction(made(timesteps=(2, 16), hw=("45nm-int32",), **named, **chosen), console)


def of_sensitivity(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    for bills in run.estimates.values():
        print_sensitivity(Study(*bills, 50, 7), console)


def of_breakeven(fixtures: pytest.FixtureRequest, console: Console) -> None:
    make_case = fixtures.getfixturevalue("make_case")
    print_breakeven([make_case(measured=False), make_case(measured=True)], console)


def of_maps(_: pytest.FixtureRequest, console: Console) -> None:
    def costs(batch: int, context: int, bits: float, sram: int) -> Costs:
        return 100.0, 80.0 + batch, 79.9 if context > 128 else 90.0

    some = energy_map(costs, batches=[2**power for power in range(7)], unpriced=("exp", "sqrt"))
    never = energy_map(lambda *_: (1.0, 2.0, 2.5), lambda *_: (2.0, 1.0, 0.5))
    print_maps([some, never], console)


def of_claims(_: pytest.FixtureRequest, console: Console) -> None:
    claims = (Claim("a good one", ann_ops=1e9, ann_energy_mj=4.6), Claim("bad", ann_energy_mj=9.2))
    wrong = Claim("worse", ann_ops=1e9, ann_energy_mj=9.2, snn_energy_mj=1.0, ratio=3.0)
    print_reviews([review(x, load_profile("45nm")) for x in (*claims, wrong)], console)


def of_lemaire(fixtures: pytest.FixtureRequest, console: Console) -> None:
    run: Run = fixtures.getfixturevalue("run")
    print_lemaire([("45nm-int32", lemaire(counts)) for counts in (run.asa, run.ssa)], console)


def of_stages(_: pytest.FixtureRequest, console: Console) -> None:
    names = ("analog", "converted", "end to end", "analog, same training text")
    reading = Reading(1234.5, 0.1234, 999, 1.234, 0.7654)
    judged = [Judged(name, 123_456, reading, reading) for name in names]
    finetuned = Finetuned("nano", "w", judged, [], "nano, weights w, T = 4")
    print_table(stages_table(finetuned), console)


def of_difference(a: str, b: str) -> Screen:
    return lambda _, console: print_differences(load_profile(a), load_profile(b), console)


def of_profile(name: str) -> Screen:
    return lambda _, console: print_profile(load_profile(name), console)


SCREENS: dict[str, Screen] = {
    "run": lambda fixtures, console: of_run(fixtures, console, details=False),
    "run, details": lambda fixtures, console: of_run(fixtures, console, details=True),
    "count": of_count,
    "price": of_price,
    "report --compare": of_comparison,
    "report --compare --measured": of_measured,
    "evaluate": of_evaluation,
    "sweep": of_sweep,
    "reproduce": of_reproduction,
    "sensitivity": of_sensitivity,
    "breakeven": of_breakeven,
    "map": of_maps,
    "check": of_claims,
    "price, Lemaire": of_lemaire,
    "finetune": of_stages,
    "hw list": lambda _, console: print_table(list_profiles()[0], console),
    "hw diff": of_difference("45nm", "45nm-int8"),
    "hw diff, unlike": of_difference("7nm", "loihi"),
    **{f"hw show {name}": of_profile(name) for name in profile_names()},
}


def shown(screen: Screen, fixtures: pytest.FixtureRequest, width: int) -> str:
    out = io.StringIO()
    screen(fixtures, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 132])
@pytest.mark.parametrize("name", SCREENS)
def test_nothing_is_cut_or_split(request: pytest.FixtureRequest, name: str, width: int) -> None:
    narrow, wide = (shown(SCREENS[name], request, x) for x in (width, 1000))
    assert "…" not in narrow
    # A number, a word or a label that was cut or split would be other words.
    words, expected = (set(re.sub("─+", " ", text).split()) for text in (narrow, wide))
    assert words == expected
    lines = narrow.splitlines()
    assert max(map(len, lines)) <= width
    # Nor is a number parted from its unit.
    assert [x for x in lines if re.match(r"\s*(%|[pnµm]?J)(\s|$)", x)] == []
