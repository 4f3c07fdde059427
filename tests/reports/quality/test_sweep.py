from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hwmodels import load_profile
from reports.kit.files import OutputError
from reports.kit.pictures import Pictures
from reports.quality.sweep import SWEEP, Sweep, pareto, sweep_table
from reports.quality.sweep_terminal import front_table, print_sweep, telling_apart
from reports.quality.write import write_sweep

SAVING = "attention_block_saving_compute"


def point(saving: float | None, change: float, hw: str = "45nm", **more: Any) -> dict[str, Any]:
    facts = {
        "baseline": "",
        "model": "nano",
        "weights": "local(nano)",
        "analog_weights": "local(nano)",
        "form": "softmax",
        "code": "pow2",
        "timesteps": 4,
        "conversion": "timesteps=4",
        "text": "heldout.txt of nano",
        "tokens": 8191,
        "window": 256,
        "stride": 128,
        "analog_perplexity": 80.0,
        "spiking_perplexity": 80 * (1 + change),
        "perplexity_change": change,
        "perplexity_change_low": change - 0.01,
        "perplexity_change_high": change + 0.01,
        "analog_accuracy": 0.25,
        "spiking_accuracy": 0.2,
        "top1_agreement": 0.875,
        "kl_nats": 0.01,
        "kl_nats_low": 0.009,
        "kl_nats_high": 0.011,
        "cosine_final": 0.9876,
        "events_per_mac": 0.5,
        "attention_events_per_mac": 0.5,
        "feedforward_events_per_mac": 0.5,
        "spike_rate": 0.25,
        "weights_per_token": 0.375,
        "attention": "full",
        "batch": 1,
        "hw": hw,
        "dataflow": "layerwise",
        "device": "cpu",
        "dtype": "float32",
        SAVING: saving,
        "attention_block_saving_fused": 0.5,
        "attention_block_saving_unfused": 0.4,
        "model_saving_compute": None if saving is None else saving / 2,
        "model_saving_fused": 0.25,
        "model_saving_unfused": 0.2,
        "attention_block_saving_twin_compute": 0.1,
        "attention_block_saving_twin_fused": 0.1,
        "attention_block_saving_twin_unfused": 0.1,
        "model_saving_twin_compute": 0.1,
        "model_saving_twin_fused": 0.1,
        "model_saving_twin_unfused": 0.1,
        "twin_bits": 3,
        "unpriced": "",
        "attention_code": "pow2",
        "dead_zone": "output",
        "threshold": 1.0,
        "attention_threshold": 2.0,
        "product_threshold": 4.0,
        "resolution": 0.25,
        "coders": "layer",
        "head": False,
        "head_threshold": None,
    }
    return facts | more


# Few values, so that ties are common.
values = st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.9])
grids = st.lists(st.tuples(values, st.sampled_from([-0.01, 0.0, 0.1, 1.0, math.inf])), max_size=12)


@given(grids)
def test_the_front_is_what_no_point_beats(grid: list[tuple[float, float]]) -> None:
    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        no_worse = one[0] >= other[0] and one[1] <= other[1]
        return no_worse and one != other

    expected = {p for p in grid if not any(beats(other, p) for other in grid)}
    found = [(p[SAVING], p["perplexity_change"]) for p in pareto([point(*p) for p in grid])]
    # One of each, from the least saving at the least loss to the most at the most.
    assert found == sorted(expected)


def test_of_equal_points_the_first_is_on_the_front() -> None:
    points = [point(0.5, 0.1, timesteps=steps) for steps in (8, 4)]
    assert pareto(points) == points[:1]


def test_the_front_may_be_that_of_another_saving() -> None:
    points = [
        point(0.9, 0.1, model_saving_compute=0.1),
        point(0.8, 0.2, model_saving_compute=0.2),
    ]
    assert pareto(points) == points[:1]
    assert pareto(points, "model_saving_compute") == points


def test_points_without_a_price_are_on_no_front() -> None:
    sweep = Sweep((point(None, 0.1, "loihi"), point(0.5, 0.1), point(0.6, 0.1, "45nm-int8")))
    assert sweep.hardware == ["loihi", "45nm", "45nm-int8"]
    assert sweep.on("loihi") == []
    assert sweep.on("45nm") == [sweep.points[1]]


POINTS = Sweep(
    (
        point(0.9, 0.1),
        point(0.8, 0.2),  # beaten by the first
        point(0.7, 0.01, events_per_mac=None, code="exact"),
        point(None, 0.1, "loihi", form="spikformer"),
    )
)


def test_the_table_says_which_points_are_on_the_front(tmp_path: Path) -> None:
    files = write_sweep(POINTS, tmp_path / "new")
    assert [path.name for path in files] == ["sweep.csv", "pareto_45nm.png", "pareto_45nm.svg"]
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    with files[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [[column.name for column in SWEEP]] * 4
    assert [row["pareto"] for row in rows] == ["True", "False", "True", "False"]
    assert [row[SAVING] for row in rows] == ["0.9", "0.8", "0.7", ""]
    assert float(rows[0]["spiking_perplexity"]) == POINTS.points[0]["spiking_perplexity"]


def test_the_sources_are_those_of_prices_forms_and_the_published_point(tmp_path: Path) -> None:
    priced = replace(POINTS, profiles=(load_profile("loihi"),))
    path = write_sweep(priced, tmp_path, pictures=Pictures.NONE)[-1]
    assert path.name == "sources.bib"
    cited = path.read_text(encoding="utf-8")
    assert "davies2018" in cited
    assert "balaji2025" in cited
    assert "horowitz2014" not in cited
    forms = {point["form"] for point in POINTS.points}
    assert ("zhou2022" in cited) is ("spikformer" in forms)


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_sweep(POINTS, tmp_path / "taken")


def printed(sweep: Sweep) -> str:
    text = io.StringIO()
    print_sweep(sweep, Console(file=text, width=140))
    return text.getvalue()


def test_the_points_that_none_beats_are_printed() -> None:
    said = printed(POINTS)
    assert "nano on 45nm: 3 points, those that none beats (analog perplexity 80.00)" in said
    assert front_table(POINTS.on("45nm")).cells() == [
        [
            *["exact", "softmax", "4", "80.80", "+1.00 %", "87.5 %", "0.9876", "-"],
            *["37.5 %", "70.0 %", "35.0 %", "25.0 %", "20.0 %", "1", "2", "0.25", "layer"],
        ],
        [
            *["pow2", "softmax", "4", "88.00", "+10.00 %", "87.5 %", "0.9876", "0.50"],
            *["37.5 %", "90.0 %", "45.0 %", "25.0 %", "20.0 %", "1", "2", "0.25", "layer"],
        ],
    ]
    assert "loihi has no price for the events of any point.\n" in said


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("coders", "input", "layer"),
        ("product_threshold", 2.5, 7.5),
        ("dead_zone", "output", "loss"),
        ("head", True, False),
    ],
)
def test_each_block_of_a_narrow_table_tells_the_points_apart(
    width: int, name: str, one: Any, other: Any
) -> None:
    points = (point(0.9, 0.2, **{name: one}), point(0.8, 0.1, **{name: other}))
    text = io.StringIO()
    print_sweep(Sweep(points), Console(file=text, width=width))
    blocks = text.getvalue().split("\n\n")
    assert len(blocks) > 1 or width == 200
    for block in blocks:
        rows = [
            line for line in block.splitlines() if line.split()[:1] in ([str(one)], [str(other)])
        ]
        assert len(rows) == 2
    assert [key.name for key in telling_apart(points)] == [name]


def test_points_are_told_apart_by_as_few_columns_as_it_takes() -> None:
    # A code follows from the form, and the threshold of attention is that of all.
    points = [
        point(0.9, 0.2, form=form, code=code, threshold=x, attention_threshold=x)
        for form, code in (("softmax", "pow2"), ("spikformer", "signed_if"))
        for x in (1.0, 2.0)
    ]
    assert [key.name for key in telling_apart(points)] == ["form", "threshold"]
    assert [key.name for key in telling_apart(points[:1])] == ["threshold"]


def test_what_is_infinite_or_has_no_price_is_printed_too() -> None:
    said = printed(Sweep((point(0.9, math.inf, model_saving_compute=None),)))
    assert "+inf %" in said
    assert "90.0 %" in said


def test_an_empty_sweep_is_an_empty_table(tmp_path: Path) -> None:
    assert printed(Sweep(())) == ""
    [path] = write_sweep(Sweep(()), tmp_path)
    assert path.read_text(encoding="utf-8") == ",".join(sweep_table(Sweep(())).names) + "\n"


def baseline(name: str, kl_nats: float, saving: float, **more: Any) -> dict[str, Any]:
    about = {"baseline": name, "kl_nats": kl_nats, "conversion": "", "form": None, "code": None}
    saved = {"model_saving_fused": saving, "model_saving_unfused": saving / 2}
    return point(0.1, 0.02) | about | saved | more


def test_a_saving_at_equal_quality_is_read_off_the_curve_of_each_baseline() -> None:
    # KL 0.01 is halfway from 0.005 to 0.02 in logarithms; what is left of the analog energy there
    # is halfway from 0.9 to 0.7, and the point leaves 1 - 0.25.
    sweep = Sweep(
        (
            point(0.5, 0.1),
            baseline("teal=0.2", 0.005, 0.1),
            baseline("teal=0.4", 0.02, 0.3),
            baseline("wina=0.4", 0.01, 0.3),
            baseline("zones", 0.005, 0.1, conversion="timesteps=8"),
            baseline("zones=2", 0.02, 0.1, conversion="timesteps=8"),
        )
    )
    ours = sweep_table(sweep).records()[0]
    assert ours["model_saving_equal_teal_fused"] == pytest.approx(1 - 0.75 / 0.8)
    assert ours["model_saving_equal_teal_unfused"] == pytest.approx(1 - 0.8 / 0.9)
    assert ours["model_saving_equal_wina_fused"] is None  # one setting is no curve
    assert ours["model_saving_equal_zones_fused"] is None  # those of another conversion
    said = printed(sweep)
    assert "Baselines on 45nm: twins of the analog model" in said
    assert "Model saved at equal quality" in said
    assert "6.2 %" in said


def test_baselines_are_no_points_of_the_front() -> None:
    best = baseline("teal=0.2", 0.0, 0.9, **{SAVING: 0.99, "perplexity_change": -0.1})
    sweep = Sweep((point(0.5, 0.1), best))
    assert list(sweep_table(sweep).to_frame().pareto) == [True, False]
    assert (len(sweep.on("45nm")), len(sweep.baselines_on("45nm"))) == (1, 1)
