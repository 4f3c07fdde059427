import argparse
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from neurt.config import SpikingConfig
from neurt.conversion import convert
from neurt.modeling import SpikingGPT2LMHeadModel
from neurt.pretrain import run_pretrain
from neurt.training_request import PretrainRequest


@pytest.fixture
def token_ids() -> torch.Tensor:
    return torch.randint(0, 101, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def spiking(tiny_gpt2: GPT2LMHeadModel) -> SpikingGPT2LMHeadModel:
    text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
    return convert(tiny_gpt2, SpikingConfig(), [text])


@pytest.fixture(scope="session")
def converted() -> Callable[..., SpikingGPT2LMHeadModel]:
    """`converted(attention=.., feedforward=.., ...)`: a tiny model, the same one each time.

    In float64, so that two ways to sum the same numbers do not decide differently whether a neuron
    fires; `dtype=torch.float32` for counting bytes. Nobody may change it.
    """

    @cache
    def make(dtype: torch.dtype = torch.float64, **choices: Any) -> SpikingGPT2LMHeadModel:
        text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
        return convert(analog(dtype), SpikingConfig(**choices), [text])

    @cache
    def analog(dtype: torch.dtype) -> GPT2LMHeadModel:
        config = GPT2Config(
            n_layer=2,
            n_embd=32,
            n_head=4,
            vocab_size=101,
            n_positions=64,
            bos_token_id=None,
            eos_token_id=None,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = GPT2LMHeadModel(config).eval().to(dtype)
            for block in model.transformer.h:  # attention that is not flat
                torch.nn.init.normal_(block.attn.c_attn.weight, std=0.3)
            return model

    return make


@pytest.fixture
def refusal(
    capsys: pytest.CaptureFixture[str],
) -> Callable[[argparse.ArgumentParser, list[str]], str]:
    # The last line that a parser says when it refuses these words, which it must.

    def refuse(parser: argparse.ArgumentParser, words: list[str]) -> str:
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(words)
        assert caught.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return refuse


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No network, an empty cache of the hub, and a working directory of one's own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Ten documents, all the same: a tiny model learns them in a moment, the held-out one too.
    directory = tmp_path_factory.mktemp("passages")
    text = (files("neurt.assets") / "passage.txt").read_text(encoding="utf-8")[:1200]
    for number in range(10):
        (directory / f"{number}.txt").write_text(text, encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, passages: Path) -> Path:
    # The directory of a GPT-2 of 2 layers that knows those documents a little.
    out = tmp_path_factory.mktemp("trained") / "tiny"
    sizes = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 280, "positions": 32}
    how = {"steps": 150, "batch": 8, "tokens": 32, "warmup_steps": 10, "learning_rate": 1e-2}
    run_pretrain(PretrainRequest(text=str(passages), out=out, **sizes, **how))
    return out
