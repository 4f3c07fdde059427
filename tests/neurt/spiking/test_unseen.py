"""What nobody sees is computed as what somebody sees, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import torch
from tiny_models import SIZES
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from energy import count_pass
from neurt.spiking.coder import Coder
from neurt.spiking.codes import Burst, Exact, MultiThreshold, SignedIF, SuccessiveApproximation
from neurt.spiking.config import Code, Form, SpikingConfig
from neurt.spiking.conversion import convert, fuse
from neurt.spiking.pow2 import PowerOfTwo
from neurt.spiking.unseen import Asked, unseen

KINDS = (SignedIF, Burst, MultiThreshold, SuccessiveApproximation, PowerOfTwo, Exact)


@contextmanager
def looked_at(model: nn.Module) -> Iterator[None]:
    # A hook on each layer that does nothing: somebody might see its events.
    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_hook(lambda *_: None).remove)
        yield


@pytest.mark.parametrize("resolution", [1.0, 0.25])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_sum_that_nobody_sees_is_the_sum_of_the_events(
    kind: type[Coder], resolution: float
) -> None:
    coder = kind(24, 4, quantile=0.99)
    if isinstance(coder, PowerOfTwo):
        coder.resolution, coder.ceiling = resolution, 0.5
    draw = torch.Generator().manual_seed(1)
    x = 3 * torch.randn(200, 24, generator=draw)
    coder.threshold.copy_(torch.rand(24, generator=draw) + 0.05)
    assert torch.equal(coder(x, Asked())[0], coder(x).sum(0))
    x[5, 7] = float("nan")
    assert bool(coder(x, Asked())[0, 5, 7].isnan())


@torch.no_grad()
def test_a_hook_or_a_gradient_makes_a_layer_seen() -> None:
    layer = nn.Linear(2, 2)
    assert unseen(layer)
    with torch.enable_grad():
        assert not unseen(layer)
    with looked_at(layer):
        assert not unseen(layer)
    assert unseen(layer)


def model_of(family: str, tiny_gpt2: GPT2LMHeadModel) -> PreTrainedModel:
    if family == "gpt2":
        return tiny_gpt2
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


def logits(model: nn.Module, ids: Tensor, mask: Tensor | None) -> list[Tensor]:
    # A whole window, padded on the left if there is a mask; then new tokens behind a cache.
    window = model(ids, attention_mask=mask, use_cache=False).logits
    first = model(ids[:, :6], use_cache=True)
    return [
        window,
        *(first.logits, model(ids[:, 6:9], past_key_values=first.past_key_values).logits),
    ]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("family", ["gpt2", "llama"])
@torch.no_grad()
def test_a_pass_that_nobody_sees_gives_the_same_logits(
    family: str, form: Form, code: Code, masked: bool, tiny_gpt2: GPT2LMHeadModel
) -> None:
    ids = torch.randint(50, (2, 12), generator=torch.Generator().manual_seed(0))
    model = model_of(family, tiny_gpt2)
    spiking = convert(model, SpikingConfig(form=form, code=code), [ids])
    mask = torch.ones_like(ids) if masked else None
    if mask is not None:
        mask[0, :4] = 0
    found = logits(spiking, ids, mask)
    with looked_at(spiking):
        expected = logits(spiking, ids, mask)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "code"), [(Form.SPIKFORMER, Code.SIGNED_IF), (Form.SOFTMAX, Code.POW2)]
)
@torch.no_grad()
def test_kernels_give_the_same_logits_and_counts(
    form: Form, code: Code, tiny_gpt2: GPT2LMHeadModel
) -> None:
    ids = torch.randint(50, (1, 12), generator=torch.Generator().manual_seed(0))
    spiking = convert(tiny_gpt2, SpikingConfig(form=form, code=code), [ids])

    def window() -> Tensor:
        out: Tensor = spiking(ids, use_cache=False).logits
        return out

    expected, counts = window(), count_pass(spiking, window, variant="ssa")
    fuse(spiking)
    assert torch.equal(window(), expected)
    assert count_pass(spiking, window, variant="ssa") == counts
