from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.pretrain import new_model, perplexity, run_pretrain
from neurt.requests.training import PretrainRequest, RequestError
from neurt.text.corpus import CorpusError
from neurt.text.vocabulary import VocabularyError
from reports.kit.files import OutputError
from reports.training.metrics import read_metrics
from reports.training.picture import training_picture

pytestmark = pytest.mark.usefixtures("sketched_training")

FILES = [
    "README.md",
    "heldout.txt",
    "calibration.txt",
    "training.png",
    "training.svg",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    directory = tmp_path / "texts"
    directory.mkdir()
    for number in range(7):
        lines = [f"Letter {number} to the {word} of the house." for word in "abcdefghijklmnop"]
        (directory / f"{number}.txt").write_text("\n\n".join(lines), encoding="utf-8")
    return directory


@pytest.fixture
def request_of(tmp_path: Path, texts: Path) -> Any:
    def make(**changes: Any) -> PretrainRequest:
        sizes = {"layers": 1, "width": 16, "heads": 2, "vocabulary": 280, "positions": 16}
        how = {"steps": 4, "batch": 2, "tokens": 16, "warmup_steps": 1, "save_every": 2}
        out = tmp_path / "tiny"
        return PretrainRequest(**{"text": str(texts), "out": out} | sizes | how | changes)

    return make


def test_a_model_directory_of_its_own_is_made(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.training.picture.training_picture", training_picture)
    said = list[str]()
    made = run_pretrain(request_of(), say=said.append)
    assert made is not None
    out = tmp_path / "tiny"
    assert made.files == [out / name for name in FILES]
    assert {path.name for path in out.iterdir()} == {*FILES, "metrics.csv"}  # no checkpoint
    assert [row.step for row in read_metrics(out / "metrics.csv")] == [1, 2, 3, 4]
    # 280 x 16 + 16 x 16 embeddings; 32 + 16 x 48 + 48 + 16 x 16 + 16 attention and its norm;
    # 32 + 16 x 64 + 64 + 64 x 16 + 16 feed-forward and its norm; 32 last norm: 8048
    assert said[0].startswith("texts: 6 documents, ")
    assert said[0].endswith(" tokens; 8,048 parameters")
    assert said[-1].startswith(f"Held-out perplexity {made.held_out.perplexity:.2f} over ")
    assert (out / "training.svg").stat().st_size > 5000
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"| held-out perplexity | {made.held_out.perplexity:.2f} |" in card
    assert request_of().command in card
    assert "to the a of the house" in (out / "heldout.txt").read_text(encoding="utf-8")
    assert "Letter 5" in (out / "heldout.txt").read_text(encoding="utf-8")
    assert "Letter 5" not in (out / "calibration.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_any_tool_of_the_ecosystem_loads_it_and_finds_its_perplexity(
    request_of: Any, tmp_path: Path, texts: Path, dtype: str
) -> None:
    made = run_pretrain(request_of(save_dtype=dtype))
    assert made is not None
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "tiny", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tiny")
    assert isinstance(model, GPT2LMHeadModel)
    with safe_open(tmp_path / "tiny" / "model.safetensors", framework="pt") as file:
        stored = file.get_slice("transformer.wte.weight").get_dtype()
    assert stored == {"float16": "F16", "float32": "F32"}[dtype]
    # Document 5 is held out. The same number once more, without the code under test.
    ids = [*tokenizer.encode((texts / "5.txt").read_text(encoding="utf-8")), 0]
    total, predicted = 0.0, 0
    for start in range(0, len(ids), 16):
        part = torch.tensor([ids[start : start + 16]])
        if part.shape[1] > 1:
            with torch.no_grad():
                total += model(part, labels=part).loss.item() * (part.shape[1] - 1)
            predicted += part.shape[1] - 1
    assert made.held_out.predicted == predicted
    assert made.held_out.perplexity == pytest.approx(math.exp(total / predicted), rel=1e-5)


def test_a_model_that_knows_nothing_is_as_good_as_its_vocabulary() -> None:
    model = new_model(PretrainRequest(text="", out=Path(), layers=1, width=8, heads=2, positions=8))
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()  # all logits are zero
    # 20 = 8 + 8 + 4 tokens: 7 + 7 + 3 predicted; 9 = 8 + 1: 7 predicted
    found = perplexity(model, [torch.arange(20), torch.arange(9)], 8)
    assert (found.predicted, found.window) == (24, 8)
    assert found.perplexity == pytest.approx(4096)


def test_the_first_weights_are_those_of_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        request = PretrainRequest(text="", out=Path(), layers=1, width=8, heads=2, seed=seed)
        return new_model(request).transformer.wte.weight

    before = torch.get_rng_state()
    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    assert torch.equal(torch.get_rng_state(), before)


def stopping(step: int) -> Callable[[str, int, int], None]:
    def progress(what: str, done: int, _total: int) -> None:
        if (what, done) == ("pretrain", step):
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_resumes_to_the_same_bytes(request_of: Any, tmp_path: Path) -> None:
    out = tmp_path / "again" / "tiny"
    run_pretrain(request_of())
    with pytest.raises(KeyboardInterrupt):
        run_pretrain(request_of(out=out), stopping(3))
    assert {path.name for path in out.iterdir()} == {CHECKPOINT, "metrics.csv"}
    run_pretrain(request_of(out=out, resume=True))
    for name in FILES:
        assert (out / name).read_bytes() == (tmp_path / "tiny" / name).read_bytes(), name
    rows = [read_metrics(d / "metrics.csv") for d in (out, tmp_path / "tiny")]
    one, two = ([replace(row, tokens_per_second=0.0) for row in part] for part in rows)
    assert one == two


def test_killed_while_it_writes_the_model_it_writes_it_again(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("neurt.learning.pretrain.save_model", killed)
        with pytest.raises(KeyboardInterrupt):
            run_pretrain(request_of())
    assert (tmp_path / "tiny" / CHECKPOINT).exists()
    run_pretrain(request_of(resume=True))
    assert not (tmp_path / "tiny" / CHECKPOINT).exists()
    assert load_file(tmp_path / "tiny" / "model.safetensors")


def test_a_finished_model_is_not_overwritten(request_of: Any, tmp_path: Path) -> None:
    run_pretrain(request_of())
    before = {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()}
    with pytest.raises(CheckpointError, match=r"holds a model \(model.safetensors\)"):
        run_pretrain(request_of())
    with pytest.raises(CheckpointError, match="the training there is finished"):
        run_pretrain(request_of(resume=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": 4}, "heads = 2, but now heads = 4"),  # no parameter changes its shape
        ({"positions": 32}, "positions = 16, but now positions = 32"),
        ({"learning_rate": 0.1}, "learning_rate = 0.003, but now learning_rate = 0.1"),
    ],
)
def test_another_model_is_not_continued(request_of: Any, change: dict[str, Any], said: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_pretrain(request_of(), stopping(2))
    with pytest.raises(CheckpointError, match=said):
        run_pretrain(request_of(resume=True, **change))


def test_positions_that_are_never_trained_are_said(request_of: Any) -> None:
    said = list[str]()
    run_pretrain(request_of(tokens=8), say=said.append)
    assert said[1] == "Positions from 8 on are never trained: --tokens is smaller."


def test_weights_too_large_for_the_file_are_refused(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(request: PretrainRequest) -> GPT2LMHeadModel:
        model = new_model(request)
        with torch.no_grad():
            model.transformer.wpe.weight[0, 0] = 1e6  # float16 ends at 65504
        return model

    monkeypatch.setattr("neurt.learning.pretrain.new_model", large)
    assert refused(
        OutputError, run_pretrain, request_of(save_dtype="float16", learning_rate=1e-9)
    ) == ("parameter 'transformer.wpe.weight' is not finite in float16; use --save-dtype float32")
    assert (tmp_path / "tiny" / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"text": "absent.txt"}, CorpusError),
        ({"vocabulary": 5000}, VocabularyError),
        ({"heads": 3}, RequestError),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    request_of: Any, tmp_path: Path, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run_pretrain(request_of(**change))
    assert not (tmp_path / "tiny").exists()


def test_a_loss_whose_exponential_overflows_is_an_infinite_perplexity(
    tiny_gpt2: GPT2LMHeadModel,
) -> None:
    with torch.no_grad():
        tiny_gpt2.transformer.ln_f.weight.mul_(1e5)  # logits of +-1e4: far over 709 nats
    assert perplexity(tiny_gpt2, [torch.arange(20)], 10).perplexity == float("inf")
