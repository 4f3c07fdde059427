"""What zones should cost beside what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from neurt.spiking.coder import Coder
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.curvature import curvature
from neurt.spiking.foreseen import FAR, LARGE_NATS, SMALL_NATS, Foreseen, foresee
from neurt.spiking.modeling import SpikingLanguageModel

Decoder = Callable[..., PreTrainedModel]
WINDOWS = list(torch.randint(0, 101, (2, 3, 9), generator=torch.Generator().manual_seed(3)))
MORE: dict[str, Any] = {"key_value": "streamed", "head": True, "threshold": 50.0}
LOSS: dict[str, Any] = {"form": "softmax", "code": "pow2", "dead_zone": "loss"}


@pytest.fixture
def model(decoder: Decoder) -> SpikingLanguageModel:
    analog = decoder(heads=6, kv_heads=2, dtype=torch.float64)
    return convert(analog, SpikingConfig(**LOSS | MORE), WINDOWS)


@torch.no_grad()
def test_each_error_costs_half_its_square_times_the_curvature(model: SpikingLanguageModel) -> None:
    felt = curvature(model, WINDOWS)
    expected = 0.0
    handles = []
    for name, coder in model.named_modules():
        if isinstance(coder, Coder):

            def add(it: Any, args: tuple[Tensor], out: Tensor, name: str = name) -> None:
                nonlocal expected
                errors = out.sum(0) - args[0]
                if it.arranged is None:
                    of_channel = errors.flatten(0, -2).square().sum(0)
                else:  # weights (B, KV, G, S, N): one curvature per head
                    of_channel = errors.square().sum((0, -2, -1)).flatten()
                pairs = zip(felt[name].tolist(), of_channel.tolist(), strict=True)
                expected += sum(f * e / 2 for f, e in pairs)

            handles.append(coder.register_forward_hook(add))
    spiking = model(WINDOWS[0]).logits.log_softmax(-1)
    for handle in handles:
        handle.remove()
    found = foresee(model, felt, WINDOWS[0])
    assert found.foreseen_nats == pytest.approx(expected / 27, rel=1e-5)  # 3 sequences of 9
    assert expected > 0
    analog = analog_predictions(model)
    divergence = (analog.exp() * (analog - spiking)).sum(-1).mean()
    assert found.measured_nats == pytest.approx(float(divergence), rel=1e-2)
    assert not any(x.stand_in for x in model.modules() if isinstance(x, Coder))


def analog_predictions(model: SpikingLanguageModel) -> Tensor:
    from neurt.spiking.conversion import analog_of

    return analog_of(model)(WINDOWS[0]).logits.log_softmax(-1)


def test_small_errors_cost_what_is_foreseen(decoder: Decoder) -> None:
    # Predictions that the labels are drawn from, so many that the curvature is known well.
    analog = decoder("llama", dtype=torch.float64)
    windows = list(torch.randint(0, 101, (60, 4, 9), generator=torch.Generator().manual_seed(1)))
    found: list[Foreseen] = []
    how = LOSS | {"threshold": 30.0, "timesteps": 8}
    convert(analog, SpikingConfig(**how), windows, judge=found.append)
    [seen] = found
    assert 0.3 < seen.measured_nats / seen.foreseen_nats < FAR
    assert seen.warning == ""


def test_nobody_judges_zones_that_know_no_loss(decoder: Decoder) -> None:
    found: list[Foreseen] = []
    how = LOSS | {"dead_zone": "output"}
    convert(decoder("llama"), SpikingConfig(**how), WINDOWS, judge=found.append)
    assert found == []


@pytest.mark.parametrize(
    ("foreseen", "measured", "said"),
    [
        (0.05, 0.05 * FAR, False),
        (0.05, 0.0501 * FAR, True),
        (LARGE_NATS, LARGE_NATS, False),  # foreseen
        (LARGE_NATS, 1.01 * LARGE_NATS, True),
        (0.0, SMALL_NATS, False),  # too small to matter, however far
        (0.0, 2 * SMALL_NATS, True),
    ],
)
def test_only_what_is_large_or_far_beyond_is_said(
    foreseen: float, measured: float, said: bool
) -> None:
    warning = Foreseen(foreseen, measured).warning
    assert bool(warning) is said
    assert len(warning) <= 300
    if said:
        assert f"{measured:.3g} nats" in warning
        far = f"foresees {foreseen:.3g}"
        assert (far if measured > FAR * foreseen else "no longer close") in warning
