"""The card of a model: what it learned from, how well it does, and how to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurt.requests.training import PretrainRequest
from neurt.text.corpus import HELD_OUT, Corpus


@dataclass(frozen=True)
class HeldOut:
    """How well a model predicts documents that it was not trained on.

    Attributes:
        perplexity: exp of the mean cross-entropy in nats per predicted token.
        predicted: Tokens predicted.
        window: Tokens per window; windows do not overlap, and the first token of each is given.
    """

    perplexity: float
    predicted: int
    window: int


def model_card(
    request: PretrainRequest,
    corpus: Corpus,
    result: HeldOut,
    *,
    parameters: int,
    training_tokens: int,
    made_with: Mapping[str, object],
) -> str:
    """The model card as Markdown, with the header that model hubs read."""
    seen = request.steps * request.batch * request.tokens
    name = request.out.resolve().name
    indices = [str(i) for i in range(len(corpus.documents)) if i % 10 == HELD_OUT]
    held_out = ", ".join(indices[:3] + ["..."] * (len(indices) > 3))
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [gpt2, neurt-energy]
---

# {name}

A GPT-2 with {parameters:,} parameters, trained from scratch: {request.layers} layers of width \
{request.width}, {request.heads} heads, {request.vocabulary:,} vocabulary entries, \
{request.positions} positions. Weights are stored as {request.save_dtype}.
It is small and knows little: it is made for measuring energy and conversion loss, not for use.

| | |
|---|---|
| held-out perplexity | {result.perplexity:.2f} |
| how it was measured | {result.predicted:,} tokens of {len(corpus.held_out)} held-out documents; \
windows of {result.window} tokens that do not overlap and do not cross documents; the first token \
of each window is given; weights as stored, arithmetic in float32 |
| training text | {corpus.name}: {len(corpus.training)} documents, {training_tokens:,} tokens; \
documents {held_out} (counted from 0) are held out |
| licence of the text | {corpus.licence} |
| training | {request.steps:,} steps of {request.batch} windows of {request.tokens} tokens, \
{seen:,} tokens in all ({seen / training_tokens:.2f} passes); AdamW (0.9, 0.95), \
cosine to a tenth |
| made with | {", ".join(f"{name} {value}" for name, value in made_with.items())} |

Made by

    {request.command}

which also writes how the training went, `metrics.csv` and `training.png`. `heldout.txt` is an \
excerpt of the held-out documents, `calibration.txt` one of the training documents; \
`neurt-energy profile` measures on the one and calibrates on the other.
"""
