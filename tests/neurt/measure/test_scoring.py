from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from energy import exposed_attention
from neurt.closed_form.passes import Stage, decode, prefill, whole_request
from neurt.measure.scoring import ScoreError, count_both, score
from neurt.measure.stages import Counting
from neurt.spiking.modeling import SpikingLanguageModel
from reports.kit.closeness import Closeness, Scored, total

IDS = torch.randint(0, 101, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def spiking(converted: Callable[..., SpikingLanguageModel]) -> SpikingLanguageModel:
    return converted("gpt2", "softmax", torch.float32, code="pow2", threshold=0.5)


@pytest.fixture
def analog(decoder: Callable[..., Any]) -> Any:
    return decoder("gpt2")


def test_a_prediction_is_scored_as_by_hand() -> None:
    # Of 2 words: p = (1/2, 1/2) and q = (4/5, 1/5); then p = q = (3/4, 1/4). Words 0 and 1 came.
    p, q = (torch.tensor(x).log() for x in ([[0.5, 0.5], [0.75, 0.25]], [[0.8, 0.2], [0.75, 0.25]]))
    found = score(p, q, torch.tensor([0, 1]))
    log = torch.tensor([2, 4, 5 / 4, 5 / 8, 5 / 2]).log().tolist()
    assert found == pytest.approx(
        Scored(2, log[0] + log[1], log[2] + log[1], 0.5 * log[3] + 0.5 * log[4], 1, 1, 2), rel=1e-6
    )


def both(analog: Any, spiking: Any, stages: tuple[Stage, ...], read: int) -> Closeness | None:
    with exposed_attention(analog):
        sides = (Counting(analog, stages, "asa"), Counting(spiking, stages, "ssa", timesteps=4))
        ids = IDS[:, :read]
        return count_both(*sides, [ids, ids.flip(0)], scored=True)


@torch.no_grad()
@pytest.mark.parametrize(
    ("stages", "read"),
    [
        ((Stage("prefill", (prefill(12, batch=2),)),), 12),
        ((Stage("decode@12", (decode(12, batch=2),)),), 12),
        (whole_request(6, 4, batch=2), 9),  # 6 of the prompt, and 3 that are fed back
    ],
    ids=["prefill", "decode", "request"],
)
def test_the_passes_that_are_counted_predict_what_one_pass_would(
    analog: Any, spiking: SpikingLanguageModel, stages: tuple[Stage, ...], read: int
) -> None:
    found = both(analog, spiking, stages, read)
    assert found is not None
    assert len(found.windows) == 4  # two windows of two sequences
    assert found.tokens == 4 * (read - 1)
    for ids, window in zip([*IDS, *IDS.flip(0)], found.windows, strict=True):
        seen = ids[None, :read]
        a, s = (model(seen, use_cache=False).logits[0, :-1] for model in (analog, spiking))
        assert window[1:4] == pytest.approx(score(a, s, seen[0, 1:])[1:4], rel=1e-3)
    halves = total(found.windows[:2]), total(found.windows[2:])
    assert halves[0] == pytest.approx(halves[1], rel=1e-4)  # the same sequences, in another order


@torch.no_grad()
def test_a_lone_token_scores_nothing(analog: Any, spiking: SpikingLanguageModel) -> None:
    assert both(analog, spiking, (Stage("decode@1", (decode(1, batch=2),)),), 1) is None


def test_a_prediction_that_is_none_is_an_error() -> None:
    class Broken:
        runs = 1

        def passes(self, ids: torch.Tensor) -> Any:
            yield 0, type("Out", (), {"logits": torch.full((*ids.shape, 101), torch.nan)})

    broken: Any = Broken()
    with pytest.raises(ScoreError, match="the analog model predicts NaN or infinity"):
        count_both(broken, broken, [IDS], scored=True)
    assert count_both(broken, broken, [IDS], scored=False) is None
