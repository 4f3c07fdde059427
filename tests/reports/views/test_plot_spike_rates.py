from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from energy import Counts, Label, LayerCount, Tally
from reports import Run
from reports.kit.style import save
from reports.run.steps import StepCount
from reports.views.plot_spike_rates import spike_rates


def row(name: str, label: Label, spikes: int, slots: int) -> LayerCount:
    return LayerCount(name, "X", label, 1, Tally({}, 0, spikes, slots))


def made(*rows: LayerCount) -> Counts:
    return Counts("ssa", rows, timesteps=2)


def drawn(ssa: Counts, *steps: StepCount) -> Figure:
    figure = spike_rates(ssa, steps, "title", "subtitle")
    assert figure is not None
    return figure


def rates(axes: Axes) -> list[list[float | None]]:
    [mesh] = (c for c in axes.collections if isinstance(c, QuadMesh))
    values = mesh.get_array()
    assert isinstance(values, np.ma.MaskedArray)
    return values.tolist()  # type: ignore[no-any-return]


def names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


QKV0, QKV1 = (Label("attention", "qkv", depth) for depth in (0, 1))
NEURONS = Label("attention", "neuron", 0)


def test_a_cell_is_spikes_over_slots_of_a_component_at_a_depth() -> None:
    figure = drawn(
        made(
            row("a", QKV0, 1, 4),
            row("b", QKV1, 3, 4),
            # Two layers of neurons: (1 + 5) / (4 + 8), not the mean of their rates.
            row("c", NEURONS, 1, 4),
            row("d", NEURONS, 5, 8),
            row("e", Label("ffn", "norm", 0), 0, 0),  # no events
        )
    )
    axes = figure.axes[0]
    assert names(axes) == ["spiking neurons", "Q, K, V projections"]
    assert rates(axes) == [[0.5, None], [0.25, 0.75]]
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["50", "25", "75"]


def test_time_steps_have_a_panel_for_each_block() -> None:
    ffn = Label("ffn", "neuron", 0)
    figure = drawn(
        made(row("a", NEURONS, 4, 16), row("f", ffn, 2, 4)),
        StepCount("a", NEURONS, 0, 1, 4),
        StepCount("a", NEURONS, 1, 3, 4),
        StepCount("b", NEURONS, 0, 0, 4),
        StepCount("b", NEURONS, 1, 0, 4),
        StepCount("f", ffn, 0, 2, 2),
        StepCount("f", ffn, 1, 0, 2),
    )
    components, attention, feedforward, _bar = figure.axes
    assert names(components) == ["spiking neurons, attention", "spiking neurons, feed-forward"]
    assert attention.get_title(loc="left") == "attention neurons, by time step"
    assert names(attention) == ["1", "2"]
    assert rates(attention) == [[0.125], [0.375]]  # (1 + 0) / (4 + 4), (3 + 0) / 8
    assert rates(feedforward) == [[1.0], [0.0]]
    scales = {tuple(axes.collections[0].get_clim()) for axes in figure.axes[:3]}
    assert scales == {(0, 1.0)}


def test_a_burst_may_send_more_than_one_event_per_slot() -> None:
    axes = drawn(made(row("a", NEURONS, 7, 2))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["350"]
    assert axes.collections[0].get_clim() == (0, 3.5)


def test_what_lies_in_no_layer_comes_last() -> None:
    axes = drawn(made(row("x", Label("other", "eye"), 1, 2), row("a", QKV1, 1, 4))).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "outside"]
    assert names(axes) == ["Q, K, V projections", "eye"]
    assert rates(axes) == [[0.25, None], [None, 0.5]]


def test_silence_is_drawn_and_no_events_are_not() -> None:
    assert rates(drawn(made(row("a", QKV0, 0, 4))).axes[0]) == [[0.0]]
    assert spike_rates(made(row("a", QKV0, 0, 0)), (), "t", "s") is None


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(6, ["0", "<0.1", "0.3", "3.2", "9.9", "10"]), (18, ["0", "<1", "<1", "3", "10", "10"])],
)
def test_numbers_are_as_exact_as_they_have_room_for(layers: int, expected: list[str]) -> None:
    spikes = (0, 4, 32, 321, 994, 996)
    rows = (
        row(str(i), Label("attention", "qkv", i), spikes[min(i, 5)], 10_000) for i in range(layers)
    )
    assert [text.get_text() for text in drawn(made(*rows)).axes[0].texts][:6] == expected


@pytest.mark.parametrize(("layers", "numbered"), [(12, True), (24, True), (36, False)])
def test_numbers_stand_where_they_have_room(layers: int, numbered: bool) -> None:
    rows = (row(str(i), Label("attention", "qkv", i), 10 + i, 100) for i in range(layers))
    assert bool(drawn(made(*rows)).axes[0].texts) is numbered


def test_many_time_steps_have_fewer_labels_and_no_numbers() -> None:
    steps = [StepCount("a", NEURONS, step, 1, 8) for step in range(32)]
    _, axes, _bar = drawn(made(row("a", NEURONS, 32, 256)), *steps).axes
    assert names(axes)[:3] == ["1", "3", "5"]
    assert not axes.texts


def test_the_answer_is_the_mean_of_the_slots_and_the_layers_at_the_ends() -> None:
    rows = (row(str(i), Label("ffn", "neuron", i), spikes, 8) for i, spikes in enumerate((1, 4, 2)))
    # 7 of 24, not the mean of what arrives elsewhere
    figure = drawn(made(*rows, row("x", QKV0, 8, 8)))
    assert figure.get_suptitle() == (
        "29 of 100 slots of the neurons carry a spike: from 12 in layer 0 to 50 in layer 1"
    )


def test_it_says_that_hardware_does_not_matter(make_run: Callable[..., Run]) -> None:
    run = make_run()
    figure = spike_rates(run.ssa, (), run.title, run.subtitle)
    assert figure is not None
    assert "of 100 slots of the neurons carry a spike" in figure.get_suptitle()
    said = " ".join(figure.subfigs[0].get_suptitle().split())
    assert said.startswith("tiny, weights random(seed=0), T = 4 prefill, 4 tokens, full attention")
    assert said.endswith("the same on every hardware")


def test_the_same_counts_give_the_same_bytes(make_run: Callable[..., Run], tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save(drawn(make_run().ssa), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
