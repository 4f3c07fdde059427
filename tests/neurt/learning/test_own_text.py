from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from builders import refused
from torch import Tensor
from transformers import GPT2LMHeadModel

import neurt.learning.own_text
from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.own_text import write_own_text
from neurt.learning.windows import OwnText, draw_windows
from neurt.requests.finetune import FinetuneRequest
from neurt.requests.training import TrainingSettings

Write = Callable[..., Tensor]


class Die:
    """A model that predicts the same after every token."""

    config, device = SimpleNamespace(vocab_size=4), torch.device("cpu")

    def __init__(self, chances: list[float]) -> None:
        self.logits = torch.tensor(chances).log()

    def __call__(self, input_ids: Tensor, past_key_values: Any, use_cache: bool) -> Any:
        return SimpleNamespace(
            logits=self.logits.expand(*input_ids.shape, -1), past_key_values=None
        )


@pytest.fixture
def write(tmp_path: Path, tiny_gpt2: GPT2LMHeadModel, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setattr(neurt.learning.own_text, "AT_ONCE", 2)

    def make(
        model: Any = tiny_gpt2,
        first: int | None = 5,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        where: str = "own",
        **asked: Any,
    ) -> Tensor:
        how = {"model": "m", "text": "t", "out": tmp_path, "own_tokens": 45, "tokens": 9}
        request = FinetuneRequest(**how | asked)
        return write_own_text(model, first, request, tmp_path / where, "digest", progress)

    return make


def test_whole_windows_are_written_and_each_begins_with_the_first_token(write: Write) -> None:
    told: list[tuple[int, int]] = []
    found = write(progress=lambda *done: told.append(done))
    assert found.shape == (5, 9)
    assert found[:, 0].tolist() == [5] * 5
    assert len({tuple(window) for window in found.tolist()}) == 5
    # Two windows side by side, two more, and one: each token of each is told, but the first.
    assert told[0] == (4, 45)
    assert told[7:9] == [(18, 45), (22, 45)]
    assert told[-1] == (45, 45)
    assert len(told) == 3 * 8
    assert write(own_tokens=44, where="other").shape == (4, 9)  # what fills no window is left out


def test_without_a_token_that_begins_texts_any_may_come_first(write: Write) -> None:
    assert len(set(write(first=None)[:, 0].tolist())) > 1


def test_the_seed_decides_what_is_written(write: Write) -> None:
    first, again, other = (write(where=str(i), seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_tokens_are_drawn_at_temperature_1(write: Write) -> None:
    chances = [0.5, 0.25, 0.25, 0.0]
    drawn = write(Die(chances), 0, own_tokens=8004, tokens=4002)[:, 1:]
    # Standard deviation of a share of 8,002 draws: at most 0.5 / 8,002^(1/2) = 0.0056.
    shares = drawn.flatten().bincount(minlength=4) / drawn.numel()
    assert shares.tolist() == pytest.approx(chances, abs=0.02)
    assert shares[3] == 0


def test_each_token_follows_from_all_before_it(write: Write, tiny_gpt2: GPT2LMHeadModel) -> None:
    with torch.no_grad():  # so sure of itself that nothing is left to chance
        tiny_gpt2.transformer.ln_f.weight *= 1e3
        found = write()
        likeliest = tiny_gpt2(found).logits.argmax(-1)
    assert torch.equal(found[:, 1:], likeliest[:, :-1])


def test_interrupted_and_resumed_the_same_text_is_written(write: Write, tmp_path: Path) -> None:
    whole = write(where="whole")

    def stop(done: int, _total: int) -> None:
        if done > 22:  # in the second group of windows
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)
    assert torch.equal(write(resume=True), whole)

    def unexpected(done: int, _total: int) -> None:
        raise AssertionError

    assert torch.equal(write(resume=True, progress=unexpected), whole)  # it is read


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "was made with seed = 0, but now seed = 1"),
        ({"own_tokens": 90}, "was made with own_tokens = 45, but now own_tokens = 90"),
        ({"tokens": 8}, "was made with tokens = 9, but now tokens = 8"),
        ({"first": 7}, "was made with first token = 5, but now first token = 7"),
    ],
    ids=str,
)
def test_the_text_of_another_request_is_refused(
    write: Write, change: dict[str, Any], said: str
) -> None:
    write()
    assert said in refused(CheckpointError, write, resume=True, **change)


def test_a_text_that_was_edited_is_refused(write: Write, tmp_path: Path) -> None:
    write()
    path = tmp_path / "own" / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # another last token
    path.write_bytes(content)
    assert "is truncated or damaged" in refused(CheckpointError, write, resume=True)


# Windows of a step


SETTINGS = TrainingSettings(steps=50, batch=8, tokens=4)
STREAM = torch.arange(100)
OWN = torch.arange(1000, 1040).view(10, 4)


def drawn(share: float) -> Tensor:
    own = OwnText(OWN, share)
    return torch.stack([draw_windows(STREAM, SETTINGS, step, own) for step in range(50)])


def test_a_share_of_the_windows_is_of_own_text_and_the_others_stay_what_they_were() -> None:
    plain = torch.stack([draw_windows(STREAM, SETTINGS, step) for step in range(50)])
    found = drawn(0.25)
    own = found[..., 0] >= 1000
    # Of 400 windows; the standard deviation of their share is (1/4 x 3/4 / 400)^(1/2) = 0.022.
    assert float(own.float().mean()) == pytest.approx(0.25, abs=0.08)
    assert torch.equal(found[~own], plain[~own])
    for window in found[own]:  # a whole one: it does not run on into the next
        assert (window == OWN).all(1).any()
    assert len(set(found[own][:, 0].tolist())) == 10  # each of them comes


def test_all_windows_may_be_of_own_text() -> None:
    assert bool((drawn(1.0) >= 1000).all())
