"""The verb `pretrain`: from text to a small GPT-2 that any tool of its ecosystem loads.

Its card says what it learned from, how well it does, and how to make it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel
from transformers import logging as transformers_logging

from hwmodels.plain import printable, several
from neurt.learning.checkpoint import remove_checkpoint
from neurt.learning.devices import processes, products_in, training_device
from neurt.learning.finished import CARD
from neurt.learning.sharding import blocks_of
from neurt.learning.training import train
from neurt.loading.faults import explains_device
from neurt.loading.saving import round_weights, save_model
from neurt.progress import Progress, Say, silent
from neurt.requests.training import PretrainRequest
from neurt.spiking.precision import widest
from neurt.text.corpus import HELD_OUT, Corpus, excerpt, read_corpus
from neurt.text.data import CALIBRATION, HELDOUT
from neurt.text.vocabulary import encode_documents, fast_tokenizer, train_tokenizer
from reports.kit.files import write_text
from reports.kit.pictures import draw
from reports.kit.table import escaped
from reports.quality.evaluation import Quality


@dataclass(frozen=True)
class HeldOut:
    """How well a model predicts documents that it was not trained on."""

    perplexity: float  #: exp of the mean cross-entropy in nats per predicted token
    predicted: int  #: tokens predicted
    window: int  #: tokens per window; windows do not overlap, and the first token of each is given


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
    name, text = escaped(request.out.resolve().name), escaped(corpus.name)
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
| training text | {text}: {len(corpus.training)} documents, {training_tokens:,} tokens; \
documents {held_out} (counted from 0) are held out |
| licence of the text | {corpus.licence} |
| training | {request.steps:,} steps of {request.batch} windows of {request.tokens} tokens, \
{seen:,} tokens in all ({seen / training_tokens:.2f} passes); AdamW (0.9, 0.95), \
cosine to a tenth |
| made with | {", ".join(f"{name} {value}" for name, value in made_with.items())} |

Made by

    {printable(request.command)}

which also writes how the training went, `metrics.csv` and `training.png`. `heldout.txt` is an \
excerpt of the held-out documents, `calibration.txt` one of the training documents; \
`neurt-energy profile` measures on the one and calibrates on the other.
"""


HELDOUT_CHARACTERS = 60_000
CALIBRATION_CHARACTERS = 20_000


@dataclass(frozen=True)
class Pretrained:
    """A model that was trained and written."""

    held_out: HeldOut  #: how well it predicts what it was not trained on
    files: list[Path]  #: what was written, in that order; the weights come last


class LanguageModelling(nn.Module):
    """The objective of pretraining: the next token."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    @property
    def gathered(self) -> list[type[nn.Module]]:
        """See `blocks_of`."""
        return blocks_of(self.model)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of windows (B, S), in nats per predicted token."""
        return {"loss": self.model(input_ids=ids, labels=ids, use_cache=False).loss}


@explains_device
def run_pretrain(
    request: PretrainRequest, progress: Progress = silent, say: Say = silent
) -> Pretrained | None:
    """Train a tokenizer and a GPT-2 on text, and write a model directory.

    The checkpoint goes when the model is written, so that the directory holds one or the other.

    Returns:
        What was made; None in all but the main process of `accelerate launch`.
    """
    request.check()
    device = training_device(request.device)
    main = processes().is_main_process
    if not main:  # one voice is enough
        progress = say = silent
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    corpus = read_corpus(request.text)
    progress("training the tokenizer", 0, 1)
    tokenizer = train_tokenizer(corpus.training, request.vocabulary)
    ids = torch.cat(encode_documents(tokenizer, corpus.training))
    progress("training the tokenizer", 1, 1)
    model = new_model(request)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(
        f"{corpus.name}: {several(len(corpus.training), 'document')}, "
        f"{several(len(ids), 'token')}; {parameters:,} parameters"
    )
    if request.tokens < request.positions:
        say(f"Positions from {request.tokens} on are never trained: --tokens is smaller.")
    rows = train(
        LanguageModelling(model),
        ids,
        request.settings,
        request.out,
        stage="pretrain",
        resume=request.resume,
        facts={"heads": request.heads, "positions": request.positions},
        dtype=products_in(request.dtype, device),
        progress=progress,
        say=say,
    )
    if not main:
        return None
    round_weights(model, request.save_dtype)
    progress("held-out perplexity", 0, 1)
    held_out = perplexity(model, encode_documents(tokenizer, corpus.held_out), request.tokens)
    progress("held-out perplexity", 1, 1)
    over = several(held_out.predicted, "token")
    say(f"Held-out perplexity {held_out.perplexity:.2f} over {over}.")
    card = model_card(
        request,
        corpus,
        held_out,
        parameters=parameters,
        training_tokens=len(ids),
        made_with={name: version(name) for name in ("torch", "transformers", "tokenizers")}
        | {"processes": processes().num_processes, "threads": torch.get_num_threads()},
    )
    texts = {
        CARD: card,
        HELDOUT: excerpt(corpus.held_out, HELDOUT_CHARACTERS),
        CALIBRATION: excerpt(corpus.training, CALIBRATION_CHARACTERS),
    }
    out = request.out
    files = [write_text(out / name, text) for name, text in texts.items()]
    from reports.training.picture import training_picture  # matplotlib takes half a second

    title = f"{out.resolve().name}: pretraining on {corpus.name}"
    files += draw(partial(training_picture, rows, title), out / "training")
    files += save_model(
        model, fast_tokenizer(tokenizer, request.positions), out, request.save_dtype
    )
    remove_checkpoint(out)
    return Pretrained(held_out, files)


def new_model(request: PretrainRequest) -> GPT2LMHeadModel:
    """A GPT-2 without dropout, with random weights that the seed decides."""
    config = GPT2Config(
        n_layer=request.layers,
        n_embd=request.width,
        n_head=request.heads,
        vocab_size=request.vocabulary,
        n_positions=request.positions,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(request.seed)
        return GPT2LMHeadModel(config)


def perplexity(model: PreTrainedModel, documents: Sequence[Tensor], window: int) -> HeldOut:
    """How well a model predicts documents, in windows that do not overlap.

    Args:
        documents: Token ids (N,) each.
        window: Tokens per window; the last one of a document may be shorter.
    """
    windows = [part for ids in documents for part in ids.split(window) if len(part) > 1]
    total, predicted = 0.0, 0
    model.eval()
    with torch.no_grad():
        for ids in windows:
            ids = ids.to(model.device)
            logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
            total += float(nn.functional.cross_entropy(widest(logits), ids[1:], reduction="sum"))
            predicted += len(ids) - 1
    # `Quality` knows what to say where the exponential overflows.
    return HeldOut(Quality(predicted, total, 0).perplexity, predicted, window)
