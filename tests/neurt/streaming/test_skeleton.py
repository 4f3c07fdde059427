from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from streams import WINDOWS
from torch import nn
from transformers import LlamaConfig, PreTrainedModel

from neurt.loading.stored import StoredFiles
from neurt.spiking.config import SpikingConfig
from neurt.spiking.modeling import analog_class
from neurt.streaming.skeleton import Streamed, StreamError, skeleton

Pair = Callable[..., tuple[Streamed, Streamed]]
IDS = WINDOWS[0]


@torch.no_grad()
def test_logits_are_those_of_the_whole_model(
    kind: str, pair: Pair, decoder: Callable[..., PreTrainedModel]
) -> None:
    model = pair(kind, SpikingConfig())[0]
    with model.resident(None):
        hidden, calls = model.enter(IDS)
    for depth in model.depths:
        with model.resident(depth):
            hidden = model.through(depth, hidden, calls[depth])
    with model.resident(None):
        found = model.leave(IDS, hidden)
    assert torch.equal(found, decoder(kind)(IDS).logits)


def held(model: Streamed) -> set[str]:
    return {name for name, x in model.model.named_parameters() if x.device.type != "meta"}


def test_only_what_runs_has_weights(kind: str, pair: Pair) -> None:
    analog, spiking = pair(kind, SpikingConfig())
    assert held(analog) == held(spiking) == set()
    with analog.resident(1, spiking):
        assert held(analog) == {*analog.parameters(1)}
        assert held(spiking) == {*spiking.parameters(1)}
        name = analog.parameters(1)[0]
        # The same memory: a second model costs none.
        own, other = (each.model.get_parameter(name) for each in (analog, spiking))
        assert own.data_ptr() == other.data_ptr()
    gc.collect()
    assert held(analog) == held(spiking) == set()


def test_names_of_a_layer_alone_are_its_own(pair: Pair) -> None:
    analog = pair("gpt2", SpikingConfig())[0]
    alone = {name for name, x in analog.alone(1).named_modules() if not [*x.children()]}
    whole = {name for name, x in analog.model.named_modules() if not [*x.children()]}
    assert alone == {name for name in whole if name.startswith("transformer.h.1.")}


def test_a_weight_that_is_not_finite_is_named(decoder: Callable[..., Any], tmp_path: Path) -> None:
    model = decoder("gpt2")
    state = {name: x.clone() for name, x in model.state_dict().items()}
    state["transformer.h.1.ln_1.weight"][3] = float("nan")
    model.save_pretrained(tmp_path, state_dict=state)
    empty = skeleton(analog_class("gpt2"), model.config)
    streamed = Streamed(empty, StoredFiles(tmp_path, empty, "?"))
    with pytest.raises(StreamError, match=r"'transformer.h.1.ln_1.weight' holds NaN or infinity"):
        streamed.resident(1).__enter__()


def test_a_model_that_computes_something_else_is_refused() -> None:
    class Odd(analog_class("llama")):  # type: ignore[misc]
        def __init__(self, config: LlamaConfig) -> None:
            super().__init__(config)
            self.odd = nn.Module()
            self.odd.register_buffer("table", torch.ones(3), persistent=False)

    sizes = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    with pytest.raises(StreamError, match=r"Odd cannot .* it computes 'odd.table', .* --stream"):
        skeleton(Odd, LlamaConfig(vocab_size=9, intermediate_size=8, **sizes))
