from __future__ import annotations

from collections.abc import Callable

from reports import Run
from reports.views.plot_components import per_component


def test_each_component_carries_its_change(make_run: Callable[..., Run]) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    left, fused, unfused = per_component(asa, ssa, "t", "s").axes
    titles = [axes.get_title(loc="left") for axes in (left, fused, unfused)]
    assert titles == ["MACs and ACs", "all priced, fused", "all priced, unfused"]
    # Half as many ACs as MACs: 1 - 0.5 x 0.9 / 4.6 = 90 %; as many: 1 - 0.9 / 4.6 = 80 %.
    changes = ["-80 %", "-90 %", "-90 %", "-90 %", "-90 %", "-90 %", "±0 %"]
    assert [text.get_text() for text in left.texts] == changes
    # With everything priced, LayerNorms, the activation and the head cost both sides almost the
    # same; the thresholds make the array of weights larger, and a byte of it dearer by 0.5 %.
    assert [text.get_text() for text in fused.texts].count("±0 %") == 4
    # Unfused, what the spiking mix writes costs as much as all that the analog one does.
    assert [text.get_text() for text in unfused.texts].count("±0 %") == 5


def test_the_components_are_listed_downwards_in_the_order_of_the_forward_pass(
    make_run: Callable[..., Run],
) -> None:
    run = make_run()
    [(asa, ssa)] = run.estimates.values()
    left, _, _ = per_component(asa, ssa, "t", "s").axes
    bottom, top = left.get_ylim()
    assert bottom > top
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "embeddings",
        "norms (attention)",
        "spiking neurons (attention)",
        "Q, K, V projections",
        "scores Q Kᵀ",
        "softmax / row scale",
        "mix A V",
        "output projection",
        "norms (ffn)",
        "spiking neurons (ffn)",
        "feed-forward up",
        "activation",
        "feed-forward down",
        "norms (head)",
        "language-model head",
    ]
