from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)
from twins import Pair, Read

from energy import Conventions, Counts, count_pass, exposed_attention
from neurt.baselines.asked import parse_all
from neurt.baselines.baselines import known, prepare
from neurt.families import label
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert

SOFTMAX = SpikingConfig(form="softmax", code="pow2", threshold=2.0, attention_threshold=3.0)


@pytest.fixture(params=["gpt2", "llama"])
def pair(request: pytest.FixtureRequest) -> Pair:
    torch.manual_seed(0)
    if request.param == "gpt2":
        model: PreTrainedModel = GPT2LMHeadModel(
            GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=101, n_positions=64)
        )
    else:
        model = LlamaForCausalLM(
            LlamaConfig(
                num_hidden_layers=2,
                hidden_size=32,
                intermediate_size=48,
                num_attention_heads=4,
                num_key_value_heads=2,
                vocab_size=101,
                max_position_embeddings=64,
                tie_word_embeddings=True,
            )
        )
    windows = [torch.randint(0, 101, (1, 24)) for _ in range(2)]
    spiking = convert(model.eval(), SOFTMAX, windows)
    return Pair(model, spiking, windows, torch.randint(0, 101, (3, 9)))


@pytest.fixture
def read() -> Callable[..., tuple[Tensor, Counts, list[Read]]]:
    def reading(
        pair: Pair,
        *words: str,
        conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    ) -> tuple[Tensor, Counts, list[Read]]:
        """Logits and counts of the analog model, and what each baseline read."""
        analog, spiking, windows, ids = pair
        logits: list[Tensor] = []
        asked = known(parse_all(words), spiking.choices)
        with exposed_attention(analog):
            asa = count_pass(
                analog,
                lambda: logits.append(analog(input_ids=ids, use_cache=False).logits),
                variant="asa",
                conventions=conventions,
                label=label,
                tokens=ids.numel(),
                batch=len(ids),
            )
            made = list(prepare(asked, analog, spiking, windows))
            found = [Read(one, *one.read(ids, asa, conventions)) for one in made]
        return logits[0], asa, found

    return reading
