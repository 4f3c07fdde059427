from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from twins import Pair

from neurt.baselines.coded import zoned
from neurt.spiking.coder import Coder
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert

Reading = Callable[..., Any]


def test_zones_silence_what_the_spiking_model_silences(pair: Pair) -> None:
    # Each coder by itself: the same input, where it is silent and where it is not.
    coders = [x for x in pair.spiking.modules() if isinstance(x, Coder)]
    assert len(coders) == 12  # six in each of two layers
    for coder in coders:
        arranged = coder.arranged
        shape = (2, *arranged[:-2], 5, 5) if arranged else (3, coder.channels)
        x = 2 * float(coder.threshold.mean()) * torch.randn(shape)
        with torch.no_grad():
            events = coder(x)
        expected = torch.where((events != 0).any(0), x, 0)
        assert torch.equal(zoned(coder, x), expected)
        assert 0 < int((expected == 0).sum()) < x.numel()


@pytest.mark.parametrize("code", ["signed_if", "sar", "exact"])
def test_codes_whose_events_have_a_scale_have_a_twin_too(
    pair: Pair, read: Reading, code: str
) -> None:
    spiking = convert(pair.analog, SpikingConfig(form="softmax", code=code), pair.windows)
    logits, _, [twin] = read(pair._replace(spiking=spiking, windows=[pair.ids]), "twin=14")
    assert float((twin.logits - logits).norm()) < 0.01 * float(logits.norm())
