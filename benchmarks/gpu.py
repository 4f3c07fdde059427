"""On an accelerator: a model bare and counted, its conversion bare and counted, and SpikingJelly.

    python benchmarks/gpu.py [--device cuda] [--dtype bfloat16] [--shapes 135m 1b] [--tokens 512]
                             [--rounds 5] [--compile-codes]

Needs SpikingJelly: pip install --no-deps loguru==0.7.3 spikingjelly==2.0.0

For the shapes of SmolLM2-135M and Llama-3.2-1B, with random weights: seconds of a forward pass,
each the median of the rounds after one that warms up, in turns. SpikingJelly's are as many of its
multi-step blocks as the model has layers, of its width and heads, in which every layer sees T time
steps; ours takes the code and the attention of the default conversion. Stops when a shape would
begin after 200 seconds, so that the script ends within 4 minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from spiking_speed import JellyBlock
from spikingjelly.activation_based import functional, neuron
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from energy import count_pass, exposed_attention
from neurt.families import label
from neurt.loading.placement import find_device
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert

#: Layers, width, inner width, heads, cached heads, vocabulary.
SHAPES = {
    "tiny": (2, 64, 192, 4, 2, 512),
    "135m": (30, 576, 1536, 9, 3, 49152),
    "1b": (16, 2048, 8192, 32, 8, 128256),
}
MOST_S = 200


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def finished(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of a run, to the end of what it left to the device."""
    _wait(device)
    begun = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - begun


@torch.no_grad()
def try_shape(name: str, asked: argparse.Namespace, device: torch.device) -> None:
    layers, width, inner, heads, cached, vocabulary = SHAPES[name]
    dtype = getattr(torch, asked.dtype)
    config = LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        intermediate_size=inner,
        num_attention_heads=heads,
        num_key_value_heads=cached,
        vocab_size=vocabulary,
        tie_word_embeddings=True,
        max_position_embeddings=max(2048, asked.tokens),
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval().to(device, dtype)
    ids = torch.randint(vocabulary, (1, asked.tokens), device=device)
    asks = SpikingConfig().resolved(trained=False)
    spiking = convert(model, asks, [ids[:, :256]], fused=asked.compile_codes)
    jelly = nn.ModuleList(JellyBlock(width, heads, neuron.TernaryIFNode) for _ in range(layers)).to(
        device, dtype
    )
    hidden = torch.randn(asks.timesteps, 1, asked.tokens, width, device=device, dtype=dtype)

    def multi_step() -> None:
        x = hidden
        for block in jelly:
            x = block.everywhere(x)
        functional.reset_net(jelly)

    def counted(counts: nn.Module, variant: str) -> None:
        with exposed_attention(model):
            run = partial(counts, ids, use_cache=False)
            count_pass(counts, run, variant=variant, label=label)

    runs: dict[str, Callable[[], object]] = {
        "analog": partial(model, ids, use_cache=False),
        "analog, counted": partial(counted, model, "asa"),
        "spiking": partial(spiking, ids, use_cache=False),
        "spiking, counted": partial(counted, spiking, "ssa"),
        "SpikingJelly, multi-step": multi_step,
    }
    times: dict[str, list[float]] = {run: [] for run in runs}
    for number in range(asked.rounds + 1):
        for run, call in runs.items():
            taken = finished(call, device)
            if number:
                times[run].append(taken)
    middle = {run: statistics.median(found) for run, found in times.items()}
    print(f"{name}: {layers} layers of {width}, {asked.tokens} tokens, T = {asks.timesteps}")
    for run, found in middle.items():
        print(f"  {run:26} {1e3 * found:9.2f} ms")
    for over, under in (
        ("analog, counted", "analog"),
        ("spiking", "analog"),
        ("spiking, counted", "spiking"),
        ("SpikingJelly, multi-step", "spiking"),
    ):
        print(f"  {over} / {under}: {middle[over] / middle[under]:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="bfloat16")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["135m", "1b"])
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile-codes", action="store_true")
    asked, begun = parser.parse_args(), time.perf_counter()
    device = find_device(asked.device)
    print(f"torch {torch.__version__}, {device}, {asked.dtype}, {asked.rounds} rounds")
    for name in asked.shapes:
        if time.perf_counter() - begun > MOST_S:
            print(f"{name}: left out, {MOST_S} seconds are over")
            continue
        try_shape(name, asked, device)


if __name__ == "__main__":
    main()
