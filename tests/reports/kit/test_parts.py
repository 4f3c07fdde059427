from __future__ import annotations

from energy import Counts, Label, LayerCount
from reports.kit.parts import present, scopes


def test_parts_that_the_order_does_not_know_come_last_and_empty_blocks_not_at_all() -> None:
    labels = [
        Label("other", "Conv2d"),
        Label("attention", "sink", 0),
        Label("attention", "proj", 0),
        Label("attention", "qkv", 0),
    ]
    counts = Counts("asa", tuple(LayerCount(str(i), "X", label) for i, label in enumerate(labels)))
    assert present(counts) == {"attention": ["qkv", "proj", "sink"], "other": ["Conv2d"]}
    assert list(present(counts)) == ["attention", "other"]


def test_rotary_positions_come_before_what_needs_them() -> None:
    labels = [
        Label("attention", "scores", 0),
        Label("attention", "rotary", 0),
        Label("attention", "qkv", 0),
        Label("embedding", "rotary"),
        Label("embedding", "embedding"),
    ]
    counts = Counts("asa", tuple(LayerCount(str(i), "X", label) for i, label in enumerate(labels)))
    assert present(counts) == {
        "embedding": ["embedding", "rotary"],
        "attention": ["qkv", "rotary", "scores"],
    }


def test_parts_of_either_variant_are_present() -> None:
    one = Counts("asa", (LayerCount("a", "X", Label("ffn", "ffn_up")),))
    other = Counts("ssa", (LayerCount("b", "X", Label("ffn", "neuron")),))
    assert present(one, other) == {"ffn": ["neuron", "ffn_up"]}


def test_scopes_are_blocks_after_their_components_and_the_model() -> None:
    labels = [Label("ffn", "ffn_up"), Label("attention", "qkv"), Label("attention", "norm")]
    counts = Counts("asa", tuple(LayerCount(str(i), "X", label) for i, label in enumerate(labels)))
    inside = [("attention", "norm"), ("attention", "qkv"), ("attention", None)]
    assert list(scopes(counts)) == [*inside, ("ffn", "ffn_up"), ("ffn", None), (None, None)]
    whole = [("attention", None), ("ffn", None), (None, None)]
    assert list(scopes(counts, components=False)) == whole
