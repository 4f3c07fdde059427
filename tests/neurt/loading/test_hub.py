"""What a model of the hub names is looked at before it is downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import refused
from huggingface_hub.errors import EntryNotFoundError

from neurt.loading.hub import download, download_weights
from neurt.loading.source import ModelError

Hub = Callable[..., list[str]]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """`hub(config__json="{}")`: a hub with these files; the list of what is asked of it."""

    def serve(**files: str) -> list[str]:
        asked: list[str] = []

        def fetch(hub_id: str, name: str, revision: str | None) -> str:
            asked.append(name)
            if name.replace(".", "__") not in files:
                raise EntryNotFoundError(name)
            (tmp_path / name).write_text(files[name.replace(".", "__")], encoding="utf-8")
            return str(tmp_path / name)

        monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
        return asked

    return serve


def index(*names: str) -> str:
    return json.dumps({"weight_map": {f"tensor {name}": name for name in names}})


def test_one_file_of_weights_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    asked = hub(config__json="{}", model__safetensors="")
    assert download_weights("someone/it") == tmp_path
    assert asked == ["config.json", "model.safetensors"]


def test_the_shards_of_an_index_are_downloaded(hub: Hub, tmp_path: Path) -> None:
    names = ["a.safetensors", "b.safetensors"]
    shards = dict.fromkeys(("a__safetensors", "b__safetensors"), "")
    asked = hub(config__json="{}", model__safetensors__index__json=index(*names), **shards)
    assert download_weights("someone/it") == tmp_path
    assert asked[-2:] == names


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../../model.safetensors"])
def test_nothing_that_an_index_should_not_name_is_downloaded(hub: Hub, name: str) -> None:
    asked = hub(config__json="{}", model__safetensors__index__json=index("a.safetensors", name))
    said = refused(ModelError, download_weights, "someone/it")
    assert "only safetensors files beside it are read, each by its name" in said
    assert asked == ["config.json", "model.safetensors", "model.safetensors.index.json"]


def test_what_the_hub_does_not_have_is_named(hub: Hub) -> None:
    hub(config__json="{}")
    said = refused(ModelError, download, "someone/it", "model.safetensors")
    assert said.startswith("'model.safetensors' of 'someone/it' cannot be had: ")
