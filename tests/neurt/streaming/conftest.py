from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

from neurt.loading.stored import StoredFiles
from neurt.spiking.conversion import spiking_config
from neurt.spiking.modeling import analog_class, spiking_class
from neurt.streaming.skeleton import Streamed, skeleton


@pytest.fixture(scope="session")
def directory(
    decoder: Callable[..., PreTrainedModel], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The directory of `decoder(kind)`, in shards that no layer fits into."""
    written: dict[str, Path] = {}

    def write(kind: str) -> Path:
        if kind not in written:
            written[kind] = tmp_path_factory.mktemp("stored")
            decoder(kind).save_pretrained(written[kind], max_shard_size="10KB")
        return written[kind]

    return write


@pytest.fixture(scope="session")
def pair(
    decoder: Callable[..., PreTrainedModel], directory: Callable[[str], Path]
) -> Callable[..., tuple[Streamed, Streamed]]:
    """`pair("llama", spiking)`: that model and its conversion without thresholds, streamed."""

    def make(kind: str, spiking: Any) -> tuple[Streamed, Streamed]:
        config = decoder(kind).config
        analog = skeleton(analog_class(config.model_type), config)
        stored = StoredFiles(directory(kind), analog, "is it whole?")
        kind_of = spiking_class(config.model_type)
        converted = skeleton(kind_of, spiking_config(config, spiking))
        return Streamed(analog, stored), Streamed(converted, stored)

    return make
