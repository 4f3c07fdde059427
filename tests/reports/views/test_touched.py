from __future__ import annotations

from dataclasses import replace

from energy import Counts, LayerCount, Tally
from hwmodels import Dataflow, Op, load_profile
from reports import Run
from reports.views.tables import layers
from reports.views.touched import touched_sentences

#: A matrix of 40 weights in two calls of 3 sequences; a token needs half of them.
EVENTS = Tally({Op.AC: 120, Op.WEIGHT_READ: 80}, 480, 12, 48)
DENSE = Tally({Op.MAC: 240, Op.WEIGHT_READ: 80}, 240)


def run(ssa: Tally, asa: Tally = DENSE, command: str = "profile") -> Run:
    sides = [
        Counts(variant, (LayerCount("fc", "", calls=2, tally=x),), phase="decode@8", batch=3)
        for variant, x in (("asa", asa), ("ssa", ssa))
    ]
    counted = [replace(side, tokens=6, timesteps=2) for side in sides]
    settings = {"spike_rate": 0.25}
    return Run(command, *counted, (load_profile("45nm"),), settings, {}, "never")


def test_a_run_says_what_decode_needs_and_until_when_it_saves() -> None:
    looked = EVENTS.seen(66, 6 * 20)
    # 1 - 0.5^4 = 93.75 %, 1 - 0.5^7 = 99.2 %, 1 - 0.5^3 = 87.5 %; counted: 66 of 80
    said = (
        "Weights that events need in decode: 50.0 % at batch 1, 93.8 % at 4, above 99 % from batch "
        "7 (tokens independent; --dataflow gathered fetches no others)"
    )
    assert [*touched_sentences(run(looked))] == [
        f"{said}; counted at batch 3: 82.5 % (87.5 % if independent)."
    ]
    assert [*touched_sentences(run(looked, command="plan"))] == [f"{said}."]
    assert [*touched_sentences(run(EVENTS))] == []


def test_an_analog_model_whose_zeros_were_counted_says_so_too() -> None:
    [asa, ssa] = touched_sentences(run(EVENTS.seen(80, 240), DENSE.seen(66, 120)))
    assert asa.startswith("Weights that values that are not zero need in decode: 50.0 %")
    assert "100.0 % at batch 1: gathering rows saves nothing" in ssa


def test_layers_have_the_share_that_was_touched_whatever_the_dataflow() -> None:
    table = layers(replace(run(EVENTS.seen(66, 120)), dataflow=Dataflow.GATHERED))
    column = {c.name: c.value for c in table.columns}["weights_touched"]
    assert [column(row) for row in table.rows] == [None, 66 / 80]
