from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from neurt import SpikingConfig, convert, load_model


def tiny_llama() -> LlamaForCausalLM:
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    ends: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "max_position_embeddings": 256}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # Wide, so that attention and predictions are not flat.
        wide = LlamaConfig(vocab_size=4096, initializer_range=0.1, **sizes, **heads, **ends)
        return LlamaForCausalLM(wide).eval()


#: One model per family: trained (gpt2-nano), or random with the tokenizer of gpt2-nano.
MODELS: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: load_model("gpt2-nano").model,
    "llama": tiny_llama,
}
#: How it is converted: without any error of coding, and with one that scores show. The gradients of
#: random weights say nothing, so dead zones are those by output.
CONVERSIONS = {
    "exact": SpikingConfig(form="softmax", code="exact"),
    "pow2": SpikingConfig(
        form="softmax", code="pow2", dead_zone="output", threshold=0.25, resolution=1.0
    ),
}


@pytest.fixture(scope="session", params=MODELS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directories `analog`, `exact` and `pow2`: a model and its conversions, as saved."""
    root = tmp_path_factory.mktemp(request.param)
    model, tokenizer = MODELS[request.param](), load_model("gpt2-nano").tokenizer
    text = (Path(__file__).parent / "tasks" / "ending.jsonl").read_text(encoding="utf-8")
    calibration = [torch.tensor([tokenizer(text).input_ids[:256]])]
    model.save_pretrained(root / "analog")
    for name, spiking in CONVERSIONS.items():
        convert(model, spiking, calibration).save_pretrained(root / name)
    for directory in root.iterdir():
        tokenizer.save_pretrained(directory)
    return root


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Clients go without what they cannot fetch, in silence: so whatever they ask for is kept.
    asked: list[Any] = []

    def refuse(*address: Any, **_how: Any) -> None:
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert not asked
