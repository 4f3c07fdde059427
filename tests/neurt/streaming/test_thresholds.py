from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from streams import WINDOWS
from transformers import PreTrainedModel

from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import ConversionError, convert
from neurt.spiking.foreseen import Foreseen
from neurt.streaming.skeleton import Streamed
from neurt.streaming.state import StreamState
from neurt.streaming.thresholds import Calibration

Pair = Callable[..., tuple[Streamed, Streamed]]

CHOICES: dict[str, dict[str, Any]] = {
    "by loss": {"dead_zone": "loss"},
    "by loss, all coded": {
        **{"dead_zone": "loss", "head": True, "coders": "layer", "key_value": "streamed"},
    },
    "by output": {"dead_zone": "output", "head": True},
    "spikformer": {"form": "spikformer"},
    "ranges": {"code": "sar", "dead_zone": "output", "calibrate": "mse", "head": True},
}


def thresholds(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: x for name, x in model.named_parameters() if name.endswith(".threshold")}


@pytest.mark.parametrize("choice", CHOICES)
def test_thresholds_are_those_of_the_whole_model(
    kind: str, choice: str, pair: Pair, decoder: Callable[..., PreTrainedModel], tmp_path: Path
) -> None:
    # Bit for bit: the same operations on the same values in the same order, so also the curvature,
    # whose gradients pass the same layers.
    spiking = SpikingConfig(**CHOICES[choice])
    told: list[Foreseen] = []
    expected = thresholds(convert(decoder(kind), spiking, WINDOWS, judge=told.append))
    steps: list[tuple[int, int]] = []
    calibration = Calibration(
        pair(kind, spiking)[1],
        WINDOWS,
        StreamState(tmp_path / "state", {}),
        lambda *done: steps.append(done),
    )
    judged: list[Foreseen] = []
    found = calibration.run(judged.append)
    assert found.keys() == expected.keys()
    assert [name for name, x in found.items() if not torch.equal(x, expected[name])] == []
    assert judged == told
    assert bool(told) == (spiking.dead_zone == "loss")
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


@pytest.mark.parametrize("choice", ["by loss, all coded", "by output"])
def test_whoever_is_killed_goes_on_where_it_was(
    choice: str, pair: Pair, decoder: Callable[..., PreTrainedModel], tmp_path: Path
) -> None:
    spiking = SpikingConfig(**CHOICES[choice])
    expected = thresholds(convert(decoder("llama"), spiking, WINDOWS))
    ran: list[list[int]] = []
    # 2 layers x 3 windows and the head, for zones by loss once more on the way back.
    total = 15 if choice.startswith("by loss") else 9
    for last in (2, 5, 8, 12, total):
        model, seen = pair("llama", spiking)[1], list[int]()
        watch(model, seen)

        def stop(done: int, _total: int, last: int = last) -> None:
            if done > last:
                raise KeyboardInterrupt

        calibration = Calibration(model, WINDOWS, StreamState(tmp_path / "state", {}), stop)
        with suppress(KeyboardInterrupt):
            found = calibration.run()
        ran.append(seen)
    assert {name: x.tolist() for name, x in found.items()} == {
        name: x.tolist() for name, x in expected.items()
    }
    # Finished steps ran once: each window passed each layer no more often than killed steps did.
    assert sum(map(len, ran)) < 2 * total


def watch(model: Streamed, seen: list[int]) -> None:
    through = model.through

    def counted(depth: int, *given: Any) -> torch.Tensor:
        seen.append(depth)
        return through(depth, *given)

    model.through = counted  # type: ignore[method-assign]


def test_text_that_overflows_names_the_layer(
    pair: Pair, decoder: Callable[..., PreTrainedModel], tmp_path: Path
) -> None:
    model = pair("llama", SpikingConfig(dead_zone="loss"))[1]
    read = model.stored.read

    def huge(names: Any) -> dict[str, torch.Tensor]:
        found = read(names)
        for name in found:
            if name.endswith("v_proj.weight"):
                found[name] = found[name] * 1e38
        return found

    model.stored.read = huge  # type: ignore[method-assign]
    with pytest.raises(ConversionError, match=r"cannot convert: layer 'model.layers.0.self_attn"):
        Calibration(model, WINDOWS, StreamState(tmp_path / "state", {})).run()
