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
from reports.kit.closeness import Closeness, Scored
from reports.quality.evaluation import Evaluation
from reports.quality.table import QUALITY, at_depth, layers_table, quality_table
from reports.quality.write import write_quality

Make = Callable[..., Evaluation]


def test_every_column_is_filled(make_run: Callable[..., Run], evaluated: Make) -> None:
    run = make_run()
    # As if somebody had looked which weights a token needs: half of those of each layer.
    looked = tuple(
        replace(layer, tally=layer.tally._replace(active_weights=layer.tally.dense_macs / 8))
        for layer in run.ssa.layers
    )
    found = evaluated(replace(run, ssa=replace(run.ssa, layers=looked)))
    # Two windows have an interval.
    windows = tuple(Scored(50, 100.0, 100.0 + nats, kl) for nats, kl in ((4.0, 5.0), (6.0, 7.5)))
    comparison = replace(found.comparison, closeness=Closeness(windows))
    found = replace(found, comparison=comparison)
    [row] = quality_table(found).records()
    assert row["weights_per_token"] == 0.5  # 4 steps x 1 / 8
    assert row["perplexity_change_low"] < row["perplexity_change"] < row["perplexity_change_high"]
    assert row["kl_nats_low"] < row["kl_nats"] < row["kl_nats_high"]
    for table in (quality_table(found), layers_table(found)):
        assert not table.to_frame().isna().to_numpy().any()


def test_there_is_a_row_per_hardware_with_its_savings(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    run = make_run("45nm", "loihi")
    frame = quality_table(evaluated(run)).to_frame()
    assert list(frame.hw) == ["45nm", "loihi"]
    ours = frame.iloc[0]
    for column, accounting, block in (
        ("attention_block_saving_compute", "compute", "attention"),
        ("attention_block_saving_fused", "fused", "attention"),
        ("attention_block_saving_unfused", "unfused", "attention"),
        ("model_saving_compute", "compute", None),
        ("model_saving_fused", "fused", None),
        ("model_saving_unfused", "unfused", None),
    ):
        assert ours[column] == saving(*run.estimates["45nm"], accounting, block=block).saving
    # 2,048 ACs x 0.9 pJ for 2,560 MACs x 4.6 pJ, see test_table: 1 - 0.8 x 0.9 / 4.6.
    assert ours.attention_block_saving_compute == pytest.approx(0.8434783)
    assert ours.unpriced == "exp sqrt"
    # MACs have no price on Loihi: no saving, rather than a false one.
    assert (
        frame.iloc[1][[column.name for column in QUALITY if "_saving_" in column.name]].isna().all()
    )


def test_the_twin_has_the_bits_of_the_steps_and_its_savings(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    found = evaluated(make_run("45nm", "loihi"))
    ours, other = (row for _, row in quality_table(found).to_frame().iterrows())
    # ceil(log2(4 + 1)) bits say as much as four spikes
    assert ours.twin_bits == other.twin_bits == 3
    twin = found.twins["45nm"]
    for column, accounting, block in (
        ("attention_block_saving_twin_compute", "compute", "attention"),
        ("attention_block_saving_twin_fused", "fused", "attention"),
        ("attention_block_saving_twin_unfused", "unfused", "attention"),
        ("model_saving_twin_compute", "compute", None),
        ("model_saving_twin_fused", "fused", None),
        ("model_saving_twin_unfused", "unfused", None),
    ):
        saved = twin.saving(accounting, block=block)
        assert saved is not None
        assert ours[column] == saved.saving
    # A twin of 3 bits costs less than the analog model, so that spikes save less beside it.
    assert ours.attention_block_saving_twin_compute < ours.attention_block_saving_compute


def test_the_numbers_of_the_comparison_arrive(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    row = quality_table(evaluated(make_run())).to_frame().iloc[0]
    assert row.analog_perplexity == pytest.approx(7.3890561)  # e^2
    assert row.spiking_perplexity == pytest.approx(8.1661699)  # e^2.1
    assert row.perplexity_change == pytest.approx(0.1051709)  # e^0.1 - 1
    assert (row.analog_accuracy, row.spiking_accuracy) == (0.4, 0.3)
    assert (row.top1_agreement, row.kl_nats, row.cosine_final) == (0.75, 0.125, 0.875)
    assert (row.tokens, row.window, row.stride) == (100, 64, 32)
    assert (row.form, row.code) == ("spikformer", "pow2")
    assert row.conversion == "form=spikformer code=pow2 timesteps=4 threshold=1.5"


def test_a_layer_has_its_own_events_and_spikes(evaluated: Make) -> None:
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
    frame = layers_table(evaluated(Run("profile", ssa, ssa, (), {}, {}, ""))).to_frame()
    # 10 x 10 events for 200 / 2 MACs, and so on.
    assert list(frame.attention_events_per_mac) == [1, 3]
    assert list(frame.feedforward_events_per_mac) == [2, 6]
    assert list(frame.spike_rate) == [0.1, 0.3]
    assert [row.label.depth for row in at_depth(ssa, 1).layers] == [1] * 4


def test_the_files_are_written_and_hold_the_frames(
    make_run: Callable[..., Run], evaluated: Make, tmp_path: Path
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
        "sources.bib",
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
    assert files[1].read_text(encoding="utf-8").splitlines()[0] == ",".join(
        layers_table(found).names
    )
    asa, ssa = read_csv(files[2])
    assert (asa.dense_macs, ssa.dense_macs) == (
        found.comparison.asa.dense_macs,
        found.comparison.ssa.dense_macs,
    )
    run = json.loads(files[-1].read_text(encoding="utf-8"))
    assert run["conversion"] == found.conversion
    assert run["weights"] == {"asa": "random(seed=0)", "ssa": "random(seed=0)"}
    assert (run["command"], run["created"]) == ("evaluate", found.created)


def test_the_same_evaluation_gives_the_same_bytes(
    make_run: Callable[..., Run], evaluated: Make, tmp_path: Path
) -> None:
    found = evaluated(make_run())
    first, second = (write_quality(found, tmp_path / name) for name in "ab")
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]


def test_an_output_that_cannot_be_written_is_one_line(
    make_run: Callable[..., Run], evaluated: Make, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_quality(evaluated(make_run()), tmp_path / "file")


def test_weights_of_a_baseline_stand_in_the_row(
    make_run: Callable[..., Run], evaluated: Make
) -> None:
    run = make_run()
    other = replace(run, asa=replace(run.asa, weights="local(more)"))
    row = quality_table(evaluated(other)).to_frame().iloc[0]
    assert (row.weights, row.analog_weights) == ("random(seed=0)", "local(more)")
