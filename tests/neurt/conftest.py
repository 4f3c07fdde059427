from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from neurt.config import SpikingConfig
from neurt.convert import convert
from neurt.modeling import SpikingGPT2LMHeadModel


@pytest.fixture
def token_ids() -> torch.Tensor:
    return torch.randint(0, 101, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def spiking(tiny_gpt2: GPT2LMHeadModel) -> SpikingGPT2LMHeadModel:
    text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
    return convert(tiny_gpt2, SpikingConfig(), [text])


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No network, an empty cache of the hub, and a working directory of one's own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.chdir(tmp_path)
