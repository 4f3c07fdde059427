"""Two models counted pass by pass, layer by layer, as they are when they are in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streams import WINDOWS

from energy import exposed_attention
from energy.meter import CountSettings
from neurt.closed_form.passes import Stage, decode, whole_request
from neurt.families import label
from neurt.loading.reading import from_pretrained
from neurt.loading.source import resolve
from neurt.measure.scoring import count_both
from neurt.measure.stages import Counting, StepMeter
from neurt.measure.streamed import Side, count_streamed
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import analog_class
from neurt.streaming.skeleton import Streamed
from neurt.streaming.state import StreamState
from neurt.streaming.thresholds import Calibration

Pair = Callable[..., tuple[Streamed, Streamed]]

#: A request, whose steps find each other in a cache; and a step that finds tokens nobody counted.
PASSES = {"request": whole_request(6, 4), "decode": (Stage("decode", (decode(9),)),)}


@pytest.mark.parametrize("passes", PASSES)
def test_counts_are_those_of_the_whole_models(
    kind: str, passes: str, pair: Pair, directory: Callable[[str], Path], tmp_path: Path
) -> None:
    # Every number of every row, spikes of each time step, and what predictions are worth. Both have
    # their weights from the same files: the last bit of a product with one token depends on where
    # in memory they are.
    stages, spiking = PASSES[passes], SpikingConfig(dead_zone="loss", head=True)
    inputs = [ids[:, :9] for ids in WINDOWS]
    settings: CountSettings = {"label": label, "model": kind}
    source = resolve(str(directory(kind)))
    model = from_pretrained(analog_class(source.shape.model_type), source, "is it whole?")
    converted = convert(model, spiking, WINDOWS)
    meter = StepMeter(converted)
    timed: CountSettings = {**settings, "timesteps": spiking.timesteps}
    asa = Counting(model, stages, "asa", **settings)
    ssa = Counting(converted, stages, "ssa", watch=meter.watching, **timed)
    with exposed_attention(model):
        quality = count_both(asa, ssa, inputs, scored=True)

    analog, events = pair(kind, spiking)
    state = StreamState(tmp_path / "state", {})
    Calibration(events, WINDOWS, state).run()
    sides = (Side("asa", analog, settings), Side("ssa", events, timed))
    found = count_streamed(sides, stages, inputs, state, scored=True)
    assert found.counts == (asa.counts, ssa.counts)
    assert found.steps == meter.counts()
    assert found.quality == quality
