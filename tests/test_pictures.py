"""Each kind of picture, for 12 to 80 layers, in the size in which it is printed.

With `NEURT_PICTURES=DIR` in the environment they are written there too, to be looked at.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from servers import points

from energy import Counts
from energy.serving.fit import fit
from neurt.measure.breakeven import run_breakeven
from neurt.measure.map import run_map
from neurt.measure.planning import run_plan
from neurt.measure.roofline import decode_rooflines
from neurt.measure.sizes import run_sizes
from neurt.requests.breakeven import BreakEvenRequest
from neurt.requests.map import MapRequest
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import Form, SpikingConfig
from reports import Run
from reports.breakeven.picture import breakeven_picture
from reports.compare.picture import side_by_side
from reports.compare.row import Rows
from reports.count.picture import count_components
from reports.kit import style
from reports.kit.fit import Fit
from reports.map.picture import map_picture
from reports.measured.lines import beside
from reports.measured.picture import beside_picture
from reports.quality.evaluation import Comparison, Evaluation, LayerSimilarity, Quality
from reports.quality.pareto_picture import pareto_picture
from reports.quality.picture import quality_picture
from reports.roofline.batch_picture import batch_picture
from reports.roofline.picture import roofline_picture
from reports.run.steps import StepCount
from reports.sensitivity.picture import tornado
from reports.sensitivity.study import Study
from reports.serving.picture import fit_picture
from reports.sizes.picture import sizes_picture
from reports.training.metrics import MetricsRow
from reports.training.picture import training_picture
from reports.views.phases import phase_bills
from reports.views.plot_components import per_component
from reports.views.plot_layers import per_layer
from reports.views.plot_phases import per_phase
from reports.views.plot_spike_rates import spike_rates

#: Names by number of layers; the last two are planned from a configuration alone.
NAMES = {12: "gpt2-small", 24: "gpt2-medium", 32: "llama-3-8b", 80: "llama-2-70b"}
MODELS = dict(NAMES)
TIMESTEPS = {12: 4, 24: 8, 32: 4, 80: 16}
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
#: hidden_size, intermediate_size, num_attention_heads, vocab_size, max_position_embeddings
SIZES = {32: (4096, 14336, 32, 128256, 8192), 80: (8192, 28672, 64, 32000, 4096)}
WEIGHTS = "pretrained(openai-community/gpt2-large@0123456789ab)"
#: Points: no text is smaller.
SMALLEST = 6.5


@pytest.fixture(scope="module", autouse=True)
def configurations(tmp_path_factory: pytest.TempPathFactory) -> None:
    fields = ("hidden_size", "intermediate_size", "num_attention_heads", "vocab_size")
    for layers, sizes in SIZES.items():
        named = dict(zip((*fields, "max_position_embeddings"), sizes, strict=True))
        path = tmp_path_factory.mktemp("models") / NAMES[layers] / "config.json"
        path.parent.mkdir()
        path.write_text(json.dumps({**LLAMA, **named, "num_hidden_layers": layers}))
        MODELS[layers] = str(path)


@cache
def alike(layers: int, hw: str) -> Run:
    """A plan, of which one layer stands for all where that is quicker."""
    spiking = SpikingConfig(form=Form.SOFTMAX, timesteps=TIMESTEPS[layers])
    return run_plan(PlanRequest(model=MODELS[layers], hw=(hw,), spiking=spiking, out=Path("x")))


@cache
def planned(layers: int, hw: str, **asked: Any) -> Run:
    """A run whose layers differ, as those of a measured one do."""
    spiking = SpikingConfig(form=Form.SOFTMAX, timesteps=TIMESTEPS[layers])
    request = PlanRequest(model=MODELS[layers], hw=(hw,), spiking=spiking, out=Path("x"), **asked)
    run = run_plan(request)
    phases = tuple(replace(p, asa=of_weights(p.asa), ssa=varied(p.ssa)) for p in run.request)
    return replace(
        run,
        command="profile",
        asa=of_weights(run.asa),
        ssa=varied(run.ssa),
        request=phases,
    )


def of_weights(counts: Counts) -> Counts:
    return replace(counts, weights=WEIGHTS)


def varied(counts: Counts) -> Counts:
    def drawn(n: int) -> int:
        return round(n * chance.uniform(0.05, 1.9))

    chance = random.Random(7)
    rows = (
        replace(row, tally=row.tally._replace(spikes=drawn(row.tally.spikes)))
        for row in counts.layers
    )
    return replace(of_weights(counts), layers=tuple(rows))


def steps(counts: Counts) -> tuple[StepCount, ...]:
    chance, many = random.Random(11), counts.timesteps
    return tuple(
        StepCount(row.name, row.label, step, round(n * chance.uniform(0.02, 0.45)), n)
        for row in counts.layers
        if row.label.component == "neuron" and (n := row.tally.slots // many)
        for step in range(many)
    )


def layers_picture(layers: int, hw: str = "45nm", fit: Fit = Fit.TWO) -> Figure:
    run = planned(layers, hw)
    return per_layer(*run.estimates[hw], run.title, run.subtitle, fit=fit)


def components_picture(layers: int, hw: str = "45nm", fit: Fit = Fit.TWO) -> Figure:
    run = planned(layers, hw)
    return per_component(*run.estimates[hw], run.title, run.subtitle, fit)


def spikes_picture(layers: int, *, by_step: bool = True, fit: Fit = Fit.TWO) -> Figure:
    run = planned(layers, "45nm")
    found = spike_rates(run.ssa, steps(run.ssa) if by_step else (), run.title, run.subtitle, fit)
    assert found is not None
    return found


def phases_picture(layers: int, hw: str = "45nm", fit: Fit = Fit.TWO, **request: int) -> Figure:
    run = planned(layers, hw, **request)
    return per_phase(phase_bills(run, hw), run.title, run.subtitle, fit)


def tornado_picture(layers: int) -> Figure:
    return tornado(Study(*planned(layers, "45nm").estimates["45nm"], 200, 3), "attention")


def decode_picture(layers: int, hw: str = "45nm", fit: Fit = Fit.TWO) -> Figure:
    [found] = decode_rooflines(alike(layers, hw))
    return roofline_picture(found, fit)


def break_even_picture(layers: int, fit: Fit = Fit.TWO) -> Figure:
    [case] = run_breakeven(BreakEvenRequest(hw=("45nm",), model=MODELS[layers]))
    return breakeven_picture(case, fit)


def maps_picture(layers: int, **asked: Any) -> Figure:
    [found] = run_map(MapRequest(model=MODELS[layers], hw=("45nm-int8",), spike_rate=0.28, **asked))
    return map_picture(found)


def closeness_picture(layers: int) -> Figure:
    run, chance = planned(layers, "45nm"), random.Random(3)
    similar = tuple(
        LayerSimilarity(depth, *(chance.uniform(0.6, 0.99) for _ in range(3)), 0, 0, 0)
        for depth in range(layers)
    )
    compared = Comparison(
        *(Quality(8191, 8191 * nats, 4000) for nats in (4.36, 4.41)),
        top1_agreement=0.75,
        kl_nats=0.125,
        cosine_final=0.875,
        layers=similar,
        asa=run.asa,
        ssa=run.ssa,
        window=64,
        stride=32,
        windows=3,
    )
    conversion = {"form": "softmax", "code": "signed_if"}
    return quality_picture(Evaluation(compared, conversion, "a.txt", run.profiles, {}, {}, ""))


def loss_picture(layers: int) -> Figure:
    def rows(stage: str, loss: float, scalars: dict[str, float]) -> Iterator[MetricsRow]:
        for i in range(1, 400):
            now = {"loss": loss + 4 / i**0.5, **{k: v / i**0.1 for k, v in scalars.items()}}
            yield MetricsRow(i, stage, 65536 * i, now, 1.0, 1e-3, 500.0)

    spikes = {"spike_rate": 0.3, "events_per_mac": 0.9}
    found = [*rows("distil", 2.0, {}), *rows("task", 3.0, spikes)]
    return training_picture(
        found, f"{NAMES[layers]}, weights {WEIGHTS}, T = 4, 65,536 tokens a step"
    )


def trade_off_picture(layers: int, fit: Fit = Fit.TWO) -> Figure:
    def points() -> Iterator[dict[str, Any]]:
        codes = (("signed_if", 0.45, 0.8), ("pow2", 0.6, 0.012), ("sar", 0.25, 0.1))
        forms = ("spikformer", "softmax")
        for (code, events, loss), form, count in product(codes, forms, (1, 2, 4, 8, 16)):
            spent, change = events * count**0.8, loss / count + (form == "spikformer")
            yield {
                "model": NAMES[layers],
                "weights": WEIGHTS,
                "hw": "45nm",
                "attention": "full",
                "text": "heldout.txt",
                "tokens": 8191,
                "window": 256,
                "stride": 128,
                "analog_perplexity": 78.31,
                "form": form,
                "code": code,
                "timesteps": count,
                "perplexity_change": change,
                "attention_events_per_mac": spent,
                "events_per_mac": spent,
                "attention_block_saving_compute": 1 - spent * 0.2,
                "model_saving_fused": 0.5 - 0.5 * spent * 0.2,
                "model_saving_unfused": 0.45 - 0.5 * spent * 0.22,
            }

    return pareto_picture(list(points()), fit=fit)


def counted_picture(layers: int, hw: str = "45nm", fit: Fit = Fit.TWO) -> Figure:
    run = planned(layers, hw)
    return count_components(run.estimates[hw][0], run.title, run.subtitle, fit)


def over_batch_picture(layers: int) -> Figure:
    [found] = decode_rooflines(alike(layers, "45nm"))
    return batch_picture(found)


def compared_picture(layers: int) -> Figure:
    return side_by_side(Rows({"first": planned(12, "45nm"), "other": planned(layers, "45nm-int8")}))


def beside_measured_picture(layers: int) -> Figure:
    run = planned(layers, "45nm", prompt=512, generate=8)
    return beside_picture(beside({f"a-run-of-{NAMES[layers]}": run}))


def fitted_picture(layers: int) -> Figure:
    spread = random.Random(layers)
    noisy = [replace(x, energy_j=x.energy_j * spread.uniform(0.8, 1.3)) for x in points()]
    return fit_picture(
        fit(noisy, repeats=2), f"{NAMES[layers]}, weights {WEIGHTS}", "measured points"
    )


def swept_picture(layers: int, batch: str) -> Figure:
    asked = {"batch": batch, "context": "32..1024", "phase": "decode"}
    base = {"model": MODELS[layers], "hw": ("45nm",)}
    [grid] = run_sizes(PlanRequest.model_validate(base | asked))
    return sizes_picture(replace(grid, title=f"{NAMES[layers]}, weights {WEIGHTS}, T = 4"))


Draw = Callable[[int], Figure]
KINDS: dict[str, Draw] = {
    "layers": layers_picture,
    "layers on loihi": lambda n: layers_picture(n, "loihi"),
    "components": components_picture,
    "components on kerasspiking": lambda n: components_picture(n, "kerasspiking-gpu"),
    "spike rates": spikes_picture,
    "spike rates without steps": lambda n: spikes_picture(n, by_step=False),
    "count": counted_picture,
    "count on loihi": lambda n: counted_picture(n, "loihi"),
    "batch": over_batch_picture,
    "compare": compared_picture,
    "phases, one": phases_picture,
    "phases, two": lambda n: phases_picture(n, prompt=512, generate=8),
    "phases on kerasspiking": lambda n: phases_picture(n, "kerasspiking-gpu"),
    "tornado": tornado_picture,
    "roofline": decode_picture,
    "roofline on 7nm": lambda n: decode_picture(n, "7nm-bf16"),
    "break-even": break_even_picture,
    "map": maps_picture,
    "map, one panel": lambda n: maps_picture(n, sram=(2**20,), weight_bits=(8,), batches=(1, 8)),
    "map, many cells": lambda n: maps_picture(
        n, contexts=tuple(range(8, 1024, 64)), phase="prefill", weight_bits=(8,)
    ),
    "sizes": lambda n: swept_picture(n, "1"),
    "sizes, several batches": lambda n: swept_picture(n, "1,2,4,8,16"),
    "quality": closeness_picture,
    "training": loss_picture,
    "pareto": trade_off_picture,
    "beside measured systems": beside_measured_picture,
    "fitted servers": fitted_picture,
}
#: Those that can be had for one column of a paper.
NARROW: dict[str, Callable[..., Figure]] = {
    "layers": layers_picture,
    "layers on loihi": partial(layers_picture, hw="loihi"),
    "components": components_picture,
    "components on kerasspiking": partial(components_picture, hw="kerasspiking-gpu"),
    "spike rates": spikes_picture,
    "spike rates without steps": partial(spikes_picture, by_step=False),
    "count": counted_picture,
    "count on loihi": partial(counted_picture, hw="loihi"),
    "phases, two": partial(phases_picture, prompt=512, generate=8),
    "roofline": decode_picture,
    "roofline on 7nm": partial(decode_picture, hw="7nm-bf16"),
    "break-even": break_even_picture,
    "pareto": trade_off_picture,
}
KINDS |= {f"{kind}, one column": partial(d, fit=Fit.ONE) for kind, d in NARROW.items()}


#: Pictures in which layers stand beside each other are drawn at all sizes, the others at the ends.
SIDE_BY_SIDE = ("layers", "spike rates", "quality")
SMALLEST_AND_LARGEST = (12, 80)
CASES = [
    (kind, n)
    for kind, n in product(KINDS, NAMES)
    if n in SMALLEST_AND_LARGEST or kind in SIDE_BY_SIDE
]


@pytest.fixture(scope="module", params=CASES, ids=lambda p: f"{p[0]}, {p[1]}")
def picture(request: pytest.FixtureRequest) -> Figure:
    kind, layers = request.param
    figure = KINDS[kind](layers)
    if directory := os.environ.get("NEURT_PICTURES"):
        name = f"{kind} {layers}".replace(",", "").replace(" ", "_")
        style.save(figure, Path(directory) / f"{name}.png")
    with mpl.rc_context(style.STYLE):
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> list[Text]:
    """What is written; matplotlib keeps labels of ticks that lie outside of the axis, too."""
    hidden, seen = set(), []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis, *(c.xaxis for c in axes.child_axes)):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                labels = (tick.label1, tick.label2)
                seen_axis = axes.get_visible() and axis.get_visible()
                inside = low <= tick.get_loc() <= high and seen_axis
                hidden.update(labels)
                seen += [label for label in labels if inside and label.get_visible()]
    others = [text for text in figure.findobj(Text) if text not in hidden and text.get_visible()]
    return [text for text in dict.fromkeys((*others, *seen)) if text.get_text().strip()]  # type: ignore[union-attr]


def box(text: Text) -> Bbox:
    """Where it stands, without the line that joins it to something."""
    return Text.get_window_extent(text)


def test_it_is_as_wide_as_a_column_or_as_the_page(picture: Figure) -> None:
    assert picture.get_figwidth() in (3.4, 7.0)
    assert picture.get_figheight() <= 9  # so that a caption has room below it


def test_no_text_is_too_small(picture: Figure) -> None:
    assert min(text.get_fontsize() for text in texts(picture)) >= SMALLEST


def test_no_text_leaves_the_canvas(picture: Figure) -> None:
    width, height = picture.bbox.x1, picture.bbox.y1
    outside = [
        text.get_text()
        for text in texts(picture)
        if (at := box(text)).x0 < -0.5
        or at.y0 < -0.5
        or at.x1 > width + 0.5
        or at.y1 > height + 0.5
    ]
    assert outside == []


def test_no_two_texts_overlap(picture: Figure) -> None:
    boxes = [(text.get_text(), box(text)) for text in texts(picture)]
    assert len(boxes) > 10
    overlapping = [
        (a, b)
        for (a, one), (b, other) in combinations(boxes, 2)
        # Half a pixel of anti-aliasing is no overlap.
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 0.5
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 0.5
    ]
    assert overlapping == []


def test_no_legend_lies_over_data(picture: Figure) -> None:
    panels = [axes.get_window_extent() for axes in picture.axes if axes.get_visible()]
    legends = picture.findobj(Legend)
    for legend in legends:
        frame = legend.get_window_extent()
        assert not any(frame.padded(-1).overlaps(panel) for panel in panels)


def test_the_answer_stands_in_bold_above_what_it_is_of(picture: Figure) -> None:
    answer = picture._suptitle  # type: ignore[attr-defined]
    assert answer.get_fontweight() == "bold"
    assert any(character.isdigit() for character in answer.get_text()) or "not known" in (
        answer.get_text()
    )
    [body] = picture.subfigs
    assert body.get_suptitle()
    assert body._suptitle.get_window_extent().y1 <= answer.get_window_extent().y0 + 1


def test_it_says_which_model_with_which_weights(picture: Figure) -> None:
    said = " ".join(" ".join(text.get_text() for text in texts(picture)).split())
    assert any(model in said for model in NAMES.values())
    assert "weights" in said or "break-even" in said  # a plan of break-evens has none
