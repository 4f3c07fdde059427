"""Text that the analog model itself writes: what it knows, to be learned beside the user's text.

After LLM-QAT (Liu et al. 2023), which distils a quantised model on what the full one generates.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from neurt.learning.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from neurt.learning.devices import processes
from neurt.learning.windows import seed_of
from neurt.requests.finetune import FinetuneRequest
from reports.kit.files import prepare_directory

#: What the stage is called, and its directory among those of the others.
OWN_TEXT = "own text"
#: Windows that are written side by side.
AT_ONCE = 16


def write_own_text(
    teacher: PreTrainedModel,
    first: int | None,
    request: FinetuneRequest,
    directory: Path,
    digest: str,
    progress: Callable[[int, int], None],
) -> Tensor:
    """Windows (M, tokens) that a model writes: each token is drawn from what it predicts.

    What is written is stored as it comes, so that a fine-tuning that is resumed reads the same.
    The main process writes; the others read its file.

    Args:
        first: Token that each window begins with; None for any of the vocabulary.
        directory: Of this text alone, on a file system that all processes share.
        digest: Of the weights of the model.
        progress: Called with tokens written and tokens in all.

    Raises:
        CheckpointError: If the directory holds text of another request, or a damaged one.
    """
    count, tokens = request.own_tokens // request.tokens, request.tokens
    asked = {"own_tokens": request.own_tokens, "tokens": tokens, "seed": request.seed}
    made_by = {"first token": first, "sha256 of its teacher": digest}
    fingerprint = {"stage": OWN_TEXT} | {key: str(x) for key, x in (asked | made_by).items()}
    written = torch.empty(0, tokens, dtype=torch.long)
    if processes().is_main_process:
        prepare_directory(directory)
        if request.resume and (directory / CHECKPOINT).exists():
            written = load_checkpoint(directory, fingerprint).tensors["token_ids"]
        for done in range(len(written), count, AT_ONCE):
            size = min(AT_ONCE, count - done)

            def report(place: int, done: int = done, size: int = size) -> None:
                progress(done * tokens + place * size, count * tokens)

            generator = torch.Generator().manual_seed(seed_of(request.seed, done))
            more = _write(teacher, first, size, tokens, generator, report)
            written = torch.cat([written, more])
            save_checkpoint(directory, len(written), fingerprint, {"token_ids": written})
    processes().wait_for_everyone()
    return written if len(written) else load_checkpoint(directory, fingerprint).tensors["token_ids"]


@torch.no_grad()
def _write(
    model: PreTrainedModel,
    first: int | None,
    size: int,
    tokens: int,
    generator: torch.Generator,
    report: Callable[[int], None],
) -> Tensor:
    """Windows (size, tokens), token by token through a cache."""
    vocabulary = model.config.vocab_size
    ids = torch.randint(vocabulary, (size, 1), generator=generator)
    if first is not None:
        ids.fill_(first)
    cache = None
    for place in range(1, tokens):
        newest = ids[:, -1:].to(model.device)
        predicted = model(input_ids=newest, past_key_values=cache, use_cache=True)
        cache = predicted.past_key_values
        likely = predicted.logits[:, -1].float().softmax(-1).cpu()
        ids = torch.cat([ids, torch.multinomial(likely, 1, generator=generator)], dim=1)
        report(place + 1)
    return ids
