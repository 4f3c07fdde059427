"""What counting costs: the same forward pass bare and counted, in pairs, in one run.

    python benchmarks/counting_overhead.py [--pairs 15]

Prints, for each case, the median seconds of both, of the clock and of all cores together, and the
median of the ratio pair by pair.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from energy import count_pass, exposed_attention
from neurt.families import label
from neurt.loading.models import gpt2_tokenizer
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import calibration, packaged_text, windows


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Of the clock, and of all cores together: other work on the machine disturbs the first."""
    clock, cores = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - cores


def pairs(bare: Callable[[], object], counted: Callable[[], object], number: int) -> None:
    bare()
    counted()
    times = [(seconds(bare), seconds(counted)) for _ in range(number)]
    for unit, name in enumerate(("clock", "cores")):
        one, other = ([side[unit] for side in column] for column in zip(*times, strict=True))
        ratio = statistics.median(b / a for a, b in zip(one, other, strict=True))
        print(
            f"  {name}: bare {statistics.median(one):.4f} s, counted "
            f"{statistics.median(other):.4f} s, counted / bare {ratio:.3f}",
            flush=True,
        )


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    number = parser.parse_args().pairs
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    tokenizer = gpt2_tokenizer()
    spiking = convert(model, SpikingConfig(), calibration(tokenizer, tokens=128).windows)
    for tokens in (128, 1024):
        (ids,) = windows(tokenizer, packaged_text("passage.txt"), tokens=tokens, batch=1, count=1)
        print(f"GPT-2 small, {tokens} tokens, analog (sdpa):")
        with exposed_attention(model):
            # The exposed model runs the same kernel; the bare pass is the model as it came.
            exposed = model.config._attn_implementation

            def bare(ids: torch.Tensor = ids) -> None:
                model.set_attn_implementation("sdpa")
                model(ids, use_cache=False)

            def counted(ids: torch.Tensor = ids, exposed: str = exposed) -> None:
                model.set_attn_implementation(exposed)
                run = lambda: model(ids, use_cache=False)  # noqa: E731
                count_pass(model, run, variant="asa", label=label)

            pairs(bare, counted, number)
        print(f"GPT-2 small, {tokens} tokens, spiking T = 4:")

        def run(ids: torch.Tensor = ids) -> None:
            spiking(ids, use_cache=False)

        pairs(
            run,
            lambda run=run: count_pass(spiking, run, variant="ssa", label=label),
            max(3, number // (1 if tokens == 128 else 3)),
        )


if __name__ == "__main__":
    main()
