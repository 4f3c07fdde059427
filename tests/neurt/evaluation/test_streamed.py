from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from neurt.evaluation.quality import compare
from neurt.evaluation.streamed import compare_streamed
from neurt.loading.stored import StoredFiles
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert, spiking_config
from neurt.spiking.modeling import analog_class, spiking_class
from neurt.streaming.skeleton import Streamed, skeleton
from neurt.streaming.state import StreamState

IDS = torch.randint(0, 101, (90,), generator=torch.Generator().manual_seed(5))
#: Windows of 24 tokens, two at a time, and one of 18 at the end.
HOW: dict[str, Any] = {"window": 24, "stride": 12, "batch": 2}
CHOICES = ({}, {"head": True, "key_value": "streamed"}, {"form": "spikformer"})

Models = tuple[PreTrainedModel, PreTrainedModel, Streamed, Streamed]


@pytest.fixture
def models(decoder: Callable[..., PreTrainedModel], tmp_path: Path) -> Callable[..., Models]:
    """A model and its conversion, whole and streamed."""

    def make(kind: str, **choices: Any) -> Models:
        analog = decoder(kind)
        spiking = convert(analog, SpikingConfig(**choices), [IDS[:24][None]])
        spiking.save_pretrained(tmp_path / kind)
        config = spiking_config(analog.config, spiking.choices)
        empty = skeleton(spiking_class(kind), config)
        stored = StoredFiles(tmp_path / kind, empty, "?")
        both = (
            Streamed(skeleton(analog_class(kind), analog.config), stored),
            Streamed(empty, stored),
        )
        return analog, spiking, *both

    return make


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_layer_by_layer_is_as_the_whole(
    kind: str, choices: dict[str, Any], models: Callable[..., Models], tmp_path: Path
) -> None:
    # All of it, bit for bit: quality, similarities of all layers, each row of the counts.
    analog, spiking, *streamed = models(kind, **choices)
    steps: list[tuple[int, int]] = []
    found = compare_streamed(
        *streamed,
        IDS,
        **HOW,
        state=StreamState(tmp_path / "state", {}),
        progress=lambda *done: steps.append(done),
    )
    assert found == compare(analog, spiking, IDS, **HOW)
    assert steps[-1] == (21, 21)  # 7 windows through 2 layers and the rest


@pytest.mark.parametrize("last", [3, 9, 17])
def test_finished_layers_are_kept(last: int, models: Callable[..., Models], tmp_path: Path) -> None:
    analog, spiking, *streamed = models("llama")
    ran: list[int] = []

    def stop(done: int, _total: int) -> None:
        if done > last:
            raise KeyboardInterrupt

    def read(**how: Any) -> Any:
        state = StreamState(tmp_path / "state", {})
        return compare_streamed(*streamed, IDS, **HOW, state=state, **how)

    with pytest.raises(KeyboardInterrupt):
        read(progress=stop)
    through = streamed[1].through

    def counted(depth: int, *given: Any) -> torch.Tensor:
        ran.append(depth)
        return through(depth, *given)

    streamed[1].through = counted  # type: ignore[method-assign]
    assert read() == compare(analog, spiking, IDS, **HOW)
    # 4 batches pass each layer that was not finished: of 7 windows and 2 layers.
    assert len(ran) == 4 * (2 - last // 7)
