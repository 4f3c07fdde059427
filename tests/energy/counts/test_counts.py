from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, Label, LayerCount, Tally
from hwmodels import Op

NUMBERS = st.integers(0, 2**70)
TALLIES = st.builds(
    Tally,
    st.dictionaries(st.sampled_from(Op), st.integers(1, 2**70), max_size=6),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.none() | NUMBERS,
    st.none(),
    st.integers(0, 100),
    *(st.none() | NUMBERS for _ in range(3)),
)


def layer(name: str, ops: dict[Op, int] | None = None, **fields: Any) -> LayerCount:
    about = {key: fields.pop(key) for key in ("kind", "label", "calls") if key in fields}
    return LayerCount(name, **({"kind": "Linear"} | about), tally=Tally(ops or {}, **fields))


def test_tallies_add_field_by_field() -> None:
    total = Tally.total(
        [
            Tally({Op.MAC: 2, Op.ADD: 0}, dense_macs=2, spikes=1, slots=4),
            Tally({Op.MAC: 3, Op.AC: 5}, dense_macs=8, spikes=2, slots=4),
        ]
    )
    assert total == Tally({Op.MAC: 5, Op.AC: 5}, dense_macs=10, spikes=3, slots=8)
    assert Tally.total([]) == Tally()


def test_zeros_add_where_somebody_looked() -> None:
    seen, unseen = Tally({Op.MAC: 6}, zero_macs=2), Tally({Op.MAC: 6})
    assert Tally.total([seen, seen]).zero_macs == 4
    assert Tally.total([seen, unseen]).zero_macs == 2
    assert Tally.total([unseen, unseen]).zero_macs is None
    assert Tally.total([Tally(zero_macs=0)]).zero_macs == 0  # looked, and found none


def test_zeros_are_measured_if_one_layer_was_looked_at() -> None:
    seen, unseen = layer("a", {Op.MAC: 6}, zero_macs=0), layer("b", {Op.MAC: 6})
    assert Counts("asa", (seen, unseen)).zeros_measured
    assert not Counts("asa", (unseen,)).zeros_measured


def test_counts_with_and_without_zeros_do_not_add() -> None:
    seen, unseen = layer("a", {Op.MAC: 6}, zero_macs=2), layer("a", {Op.MAC: 6})
    with pytest.raises(ValueError, match="zeros_measured True and False do not add"):
        Counts("asa", (seen,)) + Counts("asa", (unseen,))


@settings(deadline=None, max_examples=40)
@given(st.lists(TALLIES, max_size=4), st.lists(TALLIES, max_size=4))
def test_a_total_does_not_depend_on_the_grouping(first: list[Tally], rest: list[Tally]) -> None:
    assert Tally.total([Tally.total(first), Tally.total(rest)]) == Tally.total(first + rest)


def test_counts_of_two_passes_add() -> None:
    one = Counts("asa", (layer("a", {Op.MAC: 2}, calls=1, dense_macs=2), layer("b")), tokens=3)
    two = Counts("asa", (layer("a", {Op.MAC: 5}, calls=2, dense_macs=5), layer("b")), tokens=4)
    both = one + two
    assert both.tokens == 7
    assert both.layer("a") == layer("a", {Op.MAC: 7}, calls=3, dense_macs=7)
    assert both.layer("b") == layer("b")


def test_uncounted_operations_add() -> None:
    one = Counts("asa", (layer("a"),), uncounted={"mul": 1, "sum": 2})
    two = Counts("asa", (layer("a"),), uncounted={"mul": 3, "tanh": 4})
    assert (one + two).uncounted == {"mul": 4, "sum": 2, "tanh": 4}


def test_counts_of_different_models_do_not_add() -> None:
    with pytest.raises(ValueError, match="different layers do not add"):
        Counts("asa", (layer("a"),)) + Counts("asa", (layer("b"),))


def test_only_selects_by_block_and_component() -> None:
    labels = [
        Label("attention", "proj", 0),
        Label("ffn", "ffn_up", 0),
        Label("attention", "scores", 0),
        Label("attention", "proj", 1),
    ]
    counts = Counts("asa", tuple(layer(str(i), label=label) for i, label in enumerate(labels)))

    def names(**which: str) -> list[str]:
        return [x.name for x in counts.only(**which).layers]

    assert names() == ["0", "1", "2", "3"]
    assert names(block="attention") == ["0", "2", "3"]
    assert names(component="proj") == ["0", "3"]
    assert names(block="attention", component="scores") == ["2"]
    assert names(block="ffn", component="scores") == []


def test_a_layer_is_found_by_its_name() -> None:
    counts = Counts("asa", (layer("a"), layer("b", {Op.MAC: 1})))
    assert counts.layer("b").ops == {Op.MAC: 1}
    with pytest.raises(KeyError, match="c"):
        counts.layer("c")


def test_totals_run_over_layers_and_operations() -> None:
    counts = Counts(
        "ssa",
        (layer("a", {Op.MAC: 2, Op.AC: 3}, dense_macs=10), layer("b", {Op.AC: 5}, dense_macs=1)),
    )
    assert counts.total(Op.AC) == 8
    assert counts.total(Op.MAC, Op.AC) == 10
    assert counts.total(Op.SPIKE) == counts.total() == 0
    assert counts.dense_macs == 11


def test_a_spike_rate_is_spikes_per_slot() -> None:
    assert layer("a", spikes=3, slots=12).spike_rate == 0.25
    assert layer("a", spikes=0, slots=12).spike_rate == 0
    assert layer("a", {Op.MAC: 5}).spike_rate is None


def test_events_per_mac_compares_with_the_macs_replaced() -> None:
    # 4 time steps: 400 dense MACs replace 100 analog ones, and 60 accumulates take their place
    event = layer("event", {Op.AC: 60}, dense_macs=400, spikes=6, slots=40)
    neuron = layer("neuron", {Op.NEURON_UPDATE: 40}, spikes=6, slots=40)
    dense = layer("dense", {Op.MAC: 1000}, dense_macs=1000)
    counts = Counts("ssa", (event, neuron, dense), timesteps=4)
    assert counts.events_per_mac == pytest.approx(0.6)


def test_an_event_with_a_payload_is_an_event_per_mac_too() -> None:
    # 400 / 4 MACs replaced by 60 accumulates and 40 shifts with an accumulate
    plain = layer("plain", {Op.AC: 60}, dense_macs=200, spikes=6, slots=20)
    power = layer("power", {Op.SHIFT_AC: 40}, dense_macs=200, spikes=4, slots=20)
    assert Counts("ssa", (plain, power), timesteps=4).events_per_mac == pytest.approx(1.0)


def test_events_per_mac_is_unknown_where_nothing_takes_events() -> None:
    assert Counts("asa", (layer("a", {Op.MAC: 5}, dense_macs=5),)).events_per_mac is None


def test_counts_of_different_kinds_do_not_add() -> None:
    asa = Counts("asa", (layer("fc"),))
    for other in (Counts("ssa", asa.layers), Counts("asa", asa.layers, attention="causal")):
        with pytest.raises(ValueError, match="do not add"):
            asa + other


def test_words_of_counts_are_imported_without_arrays() -> None:
    # Requests name levels of events, and a command line that prints its help needs no arrays.
    program = "import sys; from energy.counts import Levels; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
