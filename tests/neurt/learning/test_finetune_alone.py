"""Fine-tuning whose only teacher is the analog model, on what that writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file

import neurt.learning.own_text
from neurt.learning.checkpoint import CheckpointError
from neurt.learning.finetune import run_finetune
from neurt.learning.training import TrainingError
from neurt.loading.models import load_model
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig
from neurt.text.corpus import CorpusError
from neurt.text.encoding import TextError
from reports.training.finetuned import Finetuned
from reports.training.metrics import read_metrics

pytestmark = pytest.mark.usefixtures("sketched_training", "alone")

ZONES = SpikingConfig(
    form=Form.SOFTMAX, code=Code.POW2, timesteps=2, resolution=0.25, dead_zone=DeadZone.OUTPUT
)
Ask = Callable[..., FinetuneRequest]


@pytest.fixture
def ask(trained: Path, passages: Path, tmp_path: Path) -> Ask:
    def make(**changes: Any) -> FinetuneRequest:
        what = {"model": str(trained), "text": str(passages), "out": tmp_path / "out"}
        how = {"spiking": ZONES, "layer_steps": 0, "steps": 4, "batch": 2, "tokens": 16}
        alone = {"cross_entropy_weight": 0.0, "kl_temperature": 1.0, "own_tokens": 64}
        limits = {"warmup_steps": 1, "save_every": 2, "held_out_tokens": 64}
        train = {"train": ["thresholds", "norms", "blocks"], "learning_rate": 1e-3}
        return FinetuneRequest(**what | how | alone | limits | train | changes)

    return make


def finetuned(request: FinetuneRequest, *how: Any) -> Finetuned:
    found = run_finetune(request, *how)
    assert found is not None
    return found


@pytest.mark.parametrize("stage", ["writing own text", "distilled"])
def test_interrupted_and_resumed_it_ends_as_an_uninterrupted_one(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(neurt.learning.own_text, "AT_ONCE", 2)
    finetuned(ask(out=tmp_path / "whole"))

    def stop(what: str, done: int, _total: int) -> None:
        if what == stage and done >= (40 if stage == "writing own text" else 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finetune(ask(), stop)
    assert "continue it with --resume" in refused(CheckpointError, run_finetune, ask())
    written: list[int] = []
    finetuned(
        ask(resume=True),
        lambda what, done, _total: written.append(done) if what == "writing own text" else None,
    )
    # Two of the four windows of 16 tokens were stored, or all.
    assert (min(written) > 32) if stage == "writing own text" else not written
    ours, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "whole"))
    assert ours.keys() == whole.keys()
    assert all(torch.equal(ours[name], whole[name]) for name in ours)
    rows, expected = (read_metrics(tmp_path / name / "metrics.csv") for name in ("out", "whole"))
    assert [row.scalars for row in rows] == [row.scalars for row in expected]
    assert not (tmp_path / "out" / "unfinished").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"own_share": 0.25}, "own_share = 0.5, but now own_share = 0.25"),
        ({"own_tokens": 0}, "own_tokens = 64, but now own_tokens = 0"),
        ({"kl_temperature": 2.0}, "kl_temperature = 1.0, but now kl_temperature = 2.0"),
        ({"target_active_rate": 0.5}, "None, but now target_active_rate = 0.5"),
    ],
    ids=str,
)
def test_other_settings_do_not_continue_it(ask: Ask, change: dict[str, Any], said: str) -> None:
    def stop(what: str, done: int, _total: int) -> None:
        if (what, done) == ("distilled", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_finetune(ask(), stop)
    assert said in refused(CheckpointError, run_finetune, ask(resume=True, **change))


def test_a_target_lowers_the_share_of_weights_that_a_token_fetches(
    ask: Ask, tmp_path: Path
) -> None:
    how = {"steps": 12, "train": "thresholds", "learning_rate": 0.05, "own_tokens": 0}
    spent = []
    for target in (None, 0.5):
        out = tmp_path / str(target)
        found = finetuned(ask(out=out, target_active_rate=target, **how))
        spent.append([one.held_out.active_rate or 1.0 for one in found.judged[1:]])
    (before, free), (same, held) = spent  # converted, distilled
    assert before == same
    assert held < free - 0.02
    assert held < before - 0.02


def test_thresholds_may_learn_at_a_rate_of_their_own(ask: Ask, tmp_path: Path) -> None:
    how = {"steps": 1, "warmup_steps": 0, "own_tokens": 0, "train": ["thresholds", "norms"]}
    made = {}
    for rate in (None, 0.1):
        out = tmp_path / str(rate)
        finetuned(ask(out=out, threshold_learning_rate=rate, **how))
        made[rate] = load_file(out / "model.safetensors")
    for name, slow in made[None].items():
        # The first step of AdamW goes by the rate: e^0.1 or e^-0.1 against e^0.001 or e^-0.001.
        factor = (made[0.1][name] / slow).log().abs()
        if name.endswith("threshold"):
            assert bool((factor < 0.1).all()), name
        else:
            assert torch.equal(made[0.1][name], slow), name
    moved = [x for name, x in made[0.1].items() if name.endswith("mlp.encoder.threshold")]
    slow = [x for name, x in made[None].items() if name.endswith("mlp.encoder.threshold")]
    assert any(bool(((a / b).log().abs() > 0.09).any()) for a, b in zip(moved, slow, strict=True))


def test_each_text_is_judged_and_all_is_in_the_record(
    ask: Ask, passages: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Something else entirely, of another kind. " * 9, encoding="utf-8")
    found = finetuned(ask(held_out=other, steps=1))
    record = json.loads((tmp_path / "out" / "finetune.json").read_bytes())
    assert [one["stage"] for one in record["judged"]] == ["analog", "converted", "distilled"]
    for stored, one in zip(record["judged"], found.judged, strict=True):
        assert one.other is not None
        assert stored["held_out"]["kl_nats"] == one.held_out.kl_nats
        assert stored["other"]["perplexity"] == one.other.perplexity
    assert record["remarks"] == found.remarks
    assert found.judged[0].held_out.kl_nats == 0
    assert found.judged[1].held_out.kl_nats > 0


def test_what_is_made_is_loaded_as_it_is_stored(ask: Ask, tmp_path: Path) -> None:
    finetuned(ask(steps=1, own_tokens=0, save_dtype="float16"))
    loaded = load_model(str(tmp_path / "out"))
    assert loaded.spiking is not None
    assert loaded.spiking.choices == ZONES
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert {x.dtype for x in stored.values() if x.ndim > 1} == {torch.float16}
    for name, parameter in loaded.spiking.named_parameters():
        if name in stored:
            assert torch.equal(parameter, stored[name].float()), name


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"held_out": Path("no.txt")}, TextError, "text 'no.txt'"),
        ({"held_out": Path("a.txt")}, CorpusError, "--held-out 'a.txt' is one token"),
    ],
    ids=["missing", "one token"],
)
def test_a_second_text_that_cannot_be_used_is_said(
    ask: Ask, tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    assert said in refused(error, run_finetune, ask(**change))
    assert not (tmp_path / "out").exists()


def test_parts_that_a_model_has_not_are_said(
    ask: Ask, decoder: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    decoder("llama", 6, 2, vocab_size=280).save_pretrained(tmp_path / "mine")
    AutoTokenizer.from_pretrained(trained).save_pretrained(tmp_path / "mine")
    said = refused(
        TrainingError, run_finetune, ask(model=str(tmp_path / "mine"), train=["norms", "biases"])
    )
    assert said == "'mine' has no biases to train; leave that out of --train"


def test_own_text_of_less_than_a_window_is_refused(ask: Ask) -> None:
    assert refused(Exception, ask(own_tokens=15).check) == (
        "--own-tokens (= 15) is less than a window of --tokens (= 16); raise it"
    )
