from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finished import (
    HEADS,
    LAYERS,
    VOCABULARY,
    WIDTH,
    Finished,
    profiled,
)
from transformers import GPT2Config, GPT2LMHeadModel


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    config = GPT2Config(
        n_layer=LAYERS, n_embd=WIDTH, n_head=HEADS, n_positions=64, vocab_size=VOCABULARY
    )
    with torch.random.fork_rng():
        torch.manual_seed(11)
        GPT2LMHeadModel(config).save_pretrained(path)
    return path


@pytest.fixture(scope="session", params=["prefill", "decode"])
def finished(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    return profiled(tiny, request.param, tmp_path_factory.mktemp("runs") / "one")
