"""What a converted model writes beside its analog one: greedy text after prompts of one length.

python benchmarks/greedy_text.py MODEL TEXT [PROMPTS [PROMPT_TOKENS [TOKENS]]]

MODEL is a directory with a converted model; its analog one is that in its directory `analog`, else
the one with the same parameters. The text is cut into as many even parts as there are prompts, and
each prompt is the beginning of one. Both models choose the most likely token each time. Printed are
for how many prompts they agree on all tokens, after how many they part, and the first texts.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from neurt.learning.teaching import teacher_of
from neurt.loading.models import load_model
from neurt.text.data import read_text
from neurt.text.encoding import token_ids

#: Texts that are printed in full.
SHOWN = 3


@torch.no_grad()
def continued(model: PreTrainedModel, prompts: Tensor, tokens: int) -> Tensor:
    """Token ids (prompts, tokens), each the most likely one after those before it."""
    ids, cache, written = prompts, None, []
    for _ in range(tokens):
        out = model(input_ids=ids, past_key_values=cache, use_cache=True)
        cache, ids = out.past_key_values, out.logits[:, -1:].argmax(-1)
        written.append(ids)
    return torch.cat(written, 1)


def agreed(one: Tensor, other: Tensor) -> list[int]:
    """Tokens of each prompt before the first on which two models differ."""
    return [int(same.cumprod(0).sum()) for same in (one == other).long()]


def main() -> None:
    name, path, *sizes = sys.argv[1:]
    count, length, tokens = (*map(int, sizes), *(50, 32, 64)[len(sizes) :])
    loaded = load_model(name)
    assert loaded.spiking is not None, f"{name} is no converted model"
    analog = teacher_of(loaded, print)
    text, _ = read_text(Path(path), detokenise=True)
    ids = token_ids(loaded.tokenizer.encode, text)
    each = len(ids) // count
    assert each >= length, f"{path} has {len(ids)} tokens, too few for {count} prompts"
    prompts = ids[: each * count].view(count, each)[:, :length]
    texts = [continued(model, prompts, tokens) for model in (analog, loaded.spiking)]
    same = agreed(*texts)
    whole = sum(n == tokens for n in same)
    print(f"{whole} of {count} prompts: the same {tokens} tokens, prompts of {length} tokens")
    median, mean = statistics.median(same), statistics.mean(same)
    print(f"tokens before they part: median {median:g}, mean {mean:.1f}")
    print(f"the first token agrees for {sum(n > 0 for n in same)}")
    for at in range(min(SHOWN, count)):
        print(f"\nprompt: {loaded.tokenizer.decode(prompts[at])!r}")
        for side, written in zip(("analog", "spiking"), texts, strict=True):
            print(f"{side}: {loaded.tokenizer.decode(written[at])!r}")


if __name__ == "__main__":
    main()
