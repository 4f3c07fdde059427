"""Qwen3 from a GGUF file: its norms of Q and K, and the plan of its directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tiny_models import tiny_model

from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import read_shape
from neurt.loading.foreign import foreign
from neurt.loading.gguf.file import load_gguf
from neurt.loading.source import resolve


def test_a_file_says_what_its_directory_says(write_gguf: Callable[..., Path]) -> None:
    model = tiny_model("qwen3", vocab_size=264)
    path = write_gguf(model, ARCH__attention__key_length=12)
    shape = resolve(str(path)).shape
    assert shape == read_shape(model.config.to_dict(), "it")
    assert plan_asa(shape, prefill(8)).layer("model.layers.1.self_attn.k_norm").calls == 1
    assert foreign(str(path)) is None  # it is loaded as all GGUF files are
    loaded, _ = load_gguf(path)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-6)
