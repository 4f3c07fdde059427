"""Points of a grid are named after the device and the precision that they were measured in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurt.grid.places import named, place_of, say_elsewhere
from neurt.grid.points import PointError
from neurt.loading import placement
from neurt.loading.source import resolve
from neurt.requests.sweep import SweepRequest


def place(model: str = "gpt2-nano", **asked: Any) -> str:
    return place_of(SweepRequest(model=model, **asked), resolve(model))


def test_a_place_is_what_the_words_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place(device="cpu") == "cpu-float32"
    assert place(device="cpu", dtype="bfloat16") == "cpu-bfloat16"
    # A checkpoint in BF16 runs in it on an accelerator, and in FP32 on the CPU.
    sizes = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 16, "vocab_size": 50}
    config = {"model_type": "gpt2", "dtype": "bfloat16", **sizes}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    stored = str(tmp_path)
    assert place(stored, device="cpu") == "cpu-float32"
    assert place(stored, ray="local", gpus_per_point=1.0) == "cuda-bfloat16"
    assert place(stored, ray="local") == "cpu-float32"
    device = placement.torch.device("mps", 0)
    monkeypatch.setattr(placement, "find_device", lambda _asked: device)
    assert place(stored) == "mps-bfloat16"


def test_a_device_map_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    found = {place(device_map="auto")}
    for content in ('{"": "cpu"}', '{"": "disk"}'):
        file.write_text(content, encoding="utf-8")
        found.add(place(device_map=str(file)))
    assert len(found) == 3
    assert all("-spread" in each for each in found)
    with pytest.raises(PointError, match="device map"):
        place(device_map=str(tmp_path / "none.json"))


def test_points_of_another_place_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    names = [named(key, "cpu-float32") for key in ("a", "b", "c")]
    say_elsewhere(tmp_path, names, said.append)
    assert said == []
    for name in ("a@cuda-bfloat16.0123.json", "b@cpu-float32.0123.json", "b@mps-float32.1.json"):
        (tmp_path / name).touch()
    say_elsewhere(tmp_path, names, said.append)
    assert said == [  # b is known here too, and of c nothing is
        "1 of these points were measured as cuda-bfloat16; this is cpu-float32, whose results are "
        "others, so they are measured again."
    ]
