from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from neurt.evaluation.quality import compare
from neurt.learning.judging import read
from neurt.learning.pretrain import perplexity
from neurt.spiking.config import Code, Form
from neurt.spiking.conversion import analog_of
from neurt.spiking.synapse import Synapse

POW2 = {"form": Form.SOFTMAX, "code": Code.POW2}


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(0, 101, (30,), generator=torch.Generator().manual_seed(5))


def test_perplexity_and_divergence_are_those_that_evaluate_finds(
    converted: Callable[..., Any], kind: str, ids: Tensor
) -> None:
    spiking = converted(kind, **POW2)
    analog = analog_of(spiking)
    # Windows of 12, 12 and 6 tokens, the first of each given.
    found = read(spiking, analog, ids, 12)
    assert found.predicted == 11 + 11 + 5
    assert found.perplexity == perplexity(spiking, [ids], 12).perplexity
    each = [compare(analog, spiking, part, window=len(part), stride=1) for part in ids.split(12)]
    kl = sum(one.kl_nats * one.spiking.tokens for one in each) / 27
    # Log-probabilities of single precision are known to about 1e-7.
    assert found.kl_nats == pytest.approx(kl, rel=1e-4, abs=1e-7)
    assert found.kl_nats > 0


def test_the_analog_model_is_no_distance_from_itself_and_spends_no_events(
    converted: Callable[..., Any], ids: Tensor
) -> None:
    analog = analog_of(converted(**POW2))
    found = read(analog, analog, ids, 12)
    assert (found.kl_nats, found.events_per_mac, found.active_rate) == (0.0, None, None)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("resolution", [1.0, 0.25])
def test_weights_fetched_are_rows_with_an_event_counted_one_by_one(
    converted: Callable[..., Any], kind: str, form: Form, resolution: float
) -> None:
    model = converted(kind, form=form, code=Code.POW2, resolution=resolution)
    ids = torch.arange(9)
    rows: list[tuple[float, int]] = []

    def count(layer: Synapse, args: tuple[Any, ...], _out: Tensor) -> None:
        events = args[0].reshape(len(args[0]), -1, args[0].shape[-1])  # (T, tokens, C)
        fan_in, fan_out = layer.fan_out_weight.shape
        for token in range(9):
            active = sum(bool((events[:, token, c] != 0).any()) for c in range(fan_in))
            rows.append((active * fan_out, fan_in * fan_out))

    layers = [module for module in model.modules() if isinstance(module, Synapse)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model(ids[None], use_cache=False)
    for handle in handles:
        handle.remove()
    found = read(model, analog_of(model), ids, 9)
    fetched, all_of_them = (sum(column) for column in zip(*rows, strict=True))
    assert found.active_rate == pytest.approx(fetched / all_of_them, rel=1e-6)
    assert 0 < fetched < all_of_them
