from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from energy import Counts, Label, LayerCount, Tally, saving
from energy.counts.file import read_csv
from reports import OutputError, Run
from reports.quality.evaluation import Comparison, Evaluation, LayerSimilarity, Quality
from reports.quality.table import (
    LAYER_QUALITY_COLUMNS,
    QUALITY_COLUMNS,
    at_depth,
    layer_quality_frame,
    quality_frame,
    spike_rate,
    write_quality,
)

CONVERSION = {"form": "spikformer", "code": "pow2", "timesteps": 4, "threshold": 1.5}


def evaluated(run: Run) -> Evaluation:
    layers = tuple(
        LayerSimilarity(depth, 0.99, 0.9, 0.95, 0.01, 0.1, 0.05)
        for depth in sorted({row.label.depth for row in run.ssa.layers} - {None})
    )
    compared = Comparison(
        Quality(100, 200.0, 40),
        Quality(100, 210.0, 30),
        top1_agreement=0.75,
        kl_nats=0.125,
        cosine_final=0.875,
        layers=layers,
        asa=run.asa,
        ssa=run.ssa,
        window=64,
        stride=32,
        windows=3,
    )
    return Evaluation(
        compared,
        CONVERSION,
        "a, text.txt",
        run.profiles,
        {"batch": 8},
        run.versions,
        run.created,
    )


def test_the_columns_are_frozen() -> None:
    assert ",".join(QUALITY_COLUMNS) == (
        "model,weights,analog_weights,form,code,timesteps,conversion,text,"
        "tokens,window,stride,analog_perplexity,spiking_perplexity,perplexity_change,"
        "analog_accuracy,spiking_accuracy,top1_agreement,kl_nats,cosine_final,events_per_mac,"
        "attention_events_per_mac,feedforward_events_per_mac,spike_rate,attention,batch,hw,dataflow,"
        "attention_block_saving_compute,attention_block_saving_full,model_saving_compute,"
        "model_saving_full,attention_block_saving_twin_compute,attention_block_saving_twin_full,"
        "model_saving_twin_compute,model_saving_twin_full,twin_bits,unpriced"
    )
    assert ",".join(LAYER_QUALITY_COLUMNS) == (
        "layer,cosine_residual,cosine_attention,cosine_feedforward,error_residual,error_attention,"
        "error_feedforward,attention_events_per_mac,feedforward_events_per_mac,spike_rate,model,"
        "weights"
    )


def test_every_column_is_filled(make_run: Callable[..., Run]) -> None:
    for frame in (quality_frame(evaluated(make_run())), layer_quality_frame(evaluated(make_run()))):
        assert not frame.isna().to_numpy().any()


def test_there_is_a_row_per_hardware_with_its_savings(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", "loihi")
    frame = quality_frame(evaluated(run))
    assert list(frame.hw) == ["45nm", "loihi"]
    ours = frame.iloc[0]
    for column, accounting, block in (
        ("attention_block_saving_compute", "compute", "attention"),
        ("attention_block_saving_full", "full", "attention"),
        ("model_saving_compute", "compute", None),
        ("model_saving_full", "full", None),
    ):
        assert ours[column] == saving(*run.estimates["45nm"], accounting, block=block).saving
    # 2,048 ACs x 0.9 pJ for 2,560 MACs x 4.6 pJ, see test_table: 1 - 0.8 x 0.9 / 4.6.
    assert ours.attention_block_saving_compute == pytest.approx(0.8434783)
    assert ours.unpriced == "exp sqrt"
    # MACs have no price on Loihi: no saving, rather than a false one.
    assert frame.iloc[1][[name for name in QUALITY_COLUMNS if "_saving_" in name]].isna().all()


def test_the_twin_has_the_bits_of_the_steps_and_its_savings(make_run: Callable[..., Run]) -> None:
    found = evaluated(make_run("45nm", "loihi"))
    ours, other = (row for _, row in quality_frame(found).iterrows())
    # ceil(log2(4 + 1)) bits say as much as four spikes
    assert ours.twin_bits == other.twin_bits == 3
    twin = found.twins["45nm"]
    for column, accounting, block in (
        ("attention_block_saving_twin_compute", "compute", "attention"),
        ("attention_block_saving_twin_full", "full", "attention"),
        ("model_saving_twin_compute", "compute", None),
        ("model_saving_twin_full", "full", None),
    ):
        saved = twin.saving(accounting, block=block)
        assert saved is not None
        assert ours[column] == saved.saving
    # A twin of 3 bits costs less than the analog model, so that spikes save less beside it.
    assert ours.attention_block_saving_twin_compute < ours.attention_block_saving_compute


def test_the_numbers_of_the_comparison_arrive(make_run: Callable[..., Run]) -> None:
    row = quality_frame(evaluated(make_run())).iloc[0]
    assert row.analog_perplexity == pytest.approx(7.3890561)  # e^2
    assert row.spiking_perplexity == pytest.approx(8.1661699)  # e^2.1
    assert row.perplexity_change == pytest.approx(0.1051709)  # e^0.1 - 1
    assert (row.analog_accuracy, row.spiking_accuracy) == (0.4, 0.3)
    assert (row.top1_agreement, row.kl_nats, row.cosine_final) == (0.75, 0.125, 0.875)
    assert (row.tokens, row.window, row.stride) == (100, 64, 32)
    assert (row.form, row.code) == ("spikformer", "pow2")
    assert row.conversion == "form=spikformer code=pow2 timesteps=4 threshold=1.5"


def test_a_layer_has_its_own_events_and_spikes() -> None:
    def rows(depth: int, spikes: int) -> tuple[LayerCount, ...]:
        # A neuron of 100 slots per block, and a product with 200 MACs over two time steps.
        from hwmodels import Op

        return tuple(
            LayerCount(f"h.{depth}.{block}.{name}", "X", Label(block, name, depth), 1, tally)
            for block, events in (("attention", 10 * spikes), ("ffn", 20 * spikes))
            for name, tally in (
                ("neuron", Tally({Op.NEURON_UPDATE: 100}, 0, spikes, 100)),
                ("proj", Tally({Op.AC: events}, 200, spikes, 100)),
            )
        )

    ssa = Counts("ssa", rows(0, 10) + rows(1, 30), timesteps=2)
    frame = layer_quality_frame(evaluated(Run("profile", ssa, ssa, (), {}, {}, "")))
    # 10 x 10 events for 200 / 2 MACs, and so on.
    assert list(frame.attention_events_per_mac) == [1, 3]
    assert list(frame.feedforward_events_per_mac) == [2, 6]
    assert list(frame.spike_rate) == [0.1, 0.3]
    assert spike_rate(ssa) == 0.2
    assert [row.label.depth for row in at_depth(ssa, 1).layers] == [1] * 4


def test_a_model_without_neurons_has_no_spike_rate(make_run: Callable[..., Run]) -> None:
    assert spike_rate(make_run().asa) is None


def test_the_files_are_written_and_hold_the_frames(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    found = evaluated(make_run("45nm", "loihi"))
    told: list[str] = []
    files = write_quality(found, tmp_path / "new", told.append)
    assert [path.name for path in files] == [
        "quality.csv",
        "quality_layers.csv",
        "counts.csv",
        "quality.png",
        "quality.svg",
        "run.json",
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in files
    )
    assert told == ["tables", "picture"]
    text = files[0].read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["hw"] for row in rows] == ["45nm", "loihi"]
    assert rows[0]["text"] == "a, text.txt"
    assert rows[1]["attention_block_saving_compute"] == ""
    assert float(rows[0]["kl_nats"]) == 0.125
    assert files[1].read_text(encoding="utf-8").splitlines()[0] == ",".join(LAYER_QUALITY_COLUMNS)
    asa, ssa = read_csv(files[2])
    assert (asa.dense_macs, ssa.dense_macs) == (
        found.comparison.asa.dense_macs,
        found.comparison.ssa.dense_macs,
    )
    run = json.loads(files[-1].read_text(encoding="utf-8"))
    assert run["conversion"] == CONVERSION
    assert run["weights"] == {"asa": "random(seed=0)", "ssa": "random(seed=0)"}
    assert (run["command"], run["created"]) == ("evaluate", found.created)


def test_the_same_evaluation_gives_the_same_bytes(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    found = evaluated(make_run())
    first, second = (write_quality(found, tmp_path / name) for name in "ab")
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]


def test_an_output_that_cannot_be_written_is_one_line(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_quality(evaluated(make_run()), tmp_path / "file")


def test_weights_of_a_baseline_stand_in_the_row(make_run: Callable[..., Run]) -> None:
    run = make_run()
    other = replace(run, asa=replace(run.asa, weights="local(more)"))
    row = quality_frame(evaluated(other)).iloc[0]
    assert (row.weights, row.analog_weights) == ("random(seed=0)", "local(more)")
