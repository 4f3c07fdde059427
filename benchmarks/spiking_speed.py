"""What a spiking forward pass costs beyond its matrix products, and beside SpikingJelly.

    python benchmarks/spiking_speed.py [--width 768 --heads 12 --tokens 128 --layers 2]
                                       [--timesteps 4] [--rounds 21] [--compile-codes]

Needs SpikingJelly: pip install --no-deps loguru==0.7.3 spikingjelly==2.0.0

Programs take turns in one run on CPU, and ratios are taken round by round:

- ours: a converted GPT-2 from the embedded tokens on, without the language-model head;
- its products alone: the matrix products of that very pass, recorded below the dispatcher and
  replayed in order on random operands of the same shapes and strides;
- the analog model that it was converted from, as transformers runs it, and its products alone:
  what of the first ratio norms, activation and residuals cost in any network;
- SpikingJelly, same function: the network of ours built from its multi-step layers. T time steps
  go through every layer that sees spikes; norms, activation and residuals work once per token.
  (Its signed neuron fires at the threshold and not at half of it, for the same operations);
- SpikingJelly, T everywhere: the usual multi-step network, where every layer sees T time steps.

Version 2.0.0 has no `backend` argument any more: on CPU there is its torch implementation only,
which the output confirms. Weights are random: dense products take as long for any weights.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel

from energy.meter.audit import Audit
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert


def random_like(x: Tensor) -> Tensor:
    """Random values in the shape and strides of x, an expanded or transposed one included."""
    extent = 1 + sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))
    return torch.rand(extent, dtype=x.dtype).as_strided(x.shape, x.stride())


class Products(TorchDispatchMode):
    """Records the matrix products that run inside of it; a call replays them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any]] = []

    def __torch_dispatch__(  # noqa: D105 - torch calls it for each operation
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if Audit.CONTRACTS.search(func._overloadpacket.__name__):
            operands = tree_map_only(Tensor, random_like, (args, kwargs or {}))
            self.calls.append((func, *operands))
        return func(*args, **(kwargs or {}))

    def __call__(self) -> None:
        """Multiply the same shapes in the same order."""
        for func, args, kwargs in self.calls:
            func(*args, **kwargs)


def lif() -> nn.Module:
    """SpikingJelly's LIF layer with the soft reset of ours, over T time steps."""
    return neuron.LIFNode(
        v_reset=None, surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m"
    )


class JellyBlock(nn.Module):
    """A transformer block on spikes, (T, B, S, C) in and out; see the two forward methods."""

    def __init__(self, width: int, heads: int, coder: type[nn.Module]) -> None:
        super().__init__()
        self.heads = heads
        code = {"v_reset": None, "surrogate_function": surrogate.ATan(), "step_mode": "m"}
        self.norms = nn.ModuleList(layer.SeqToANNContainer(nn.LayerNorm(width)) for _ in range(2))
        self.coders = nn.ModuleList(coder(**code) for _ in range(3))
        self.qkv_neuron, self.mix_neuron = lif(), lif()
        self.qkv = layer.Linear(width, 3 * width, step_mode="m")
        self.out = layer.Linear(width, width, step_mode="m")
        self.expand = layer.Linear(width, 4 * width, step_mode="m")
        self.shrink = layer.Linear(4 * width, width, step_mode="m")

    def attention(self, x: Tensor) -> Tensor:
        """Causal attention without softmax, each row over the number of tokens it sees."""
        qkv = self.qkv_neuron(self.qkv(self.coders[0](x)))
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(2, 3) for part in qkv.chunk(3, -1)
        )
        scores = (q @ k.transpose(-1, -2)).tril()
        seen = torch.arange(1, x.shape[-2] + 1, dtype=x.dtype).unsqueeze(-1)
        mixed = scores @ v / seen
        return self.out(self.mix_neuron(mixed.transpose(2, 3).flatten(-2)))

    def once_per_token(self, x: Tensor, timesteps: int) -> Tensor:
        """The function of our blocks: a mean over time after each layer whose output is analog."""

        def steps(x: Tensor) -> Tensor:
            return x.expand(timesteps, *x.shape[1:])

        x = x + self.attention(steps(self.norms[0](x))).mean(0, keepdim=True)
        hidden = self.expand(self.coders[1](steps(self.norms[1](x)))).mean(0, keepdim=True)
        hidden = F.gelu(hidden, approximate="tanh")
        return x + self.shrink(self.coders[2](steps(hidden))).mean(0, keepdim=True)

    def everywhere(self, x: Tensor) -> Tensor:
        """Every layer over T time steps."""
        x = x + self.attention(self.norms[0](x))
        hidden = F.gelu(self.expand(self.coders[1](self.norms[1](x))), approximate="tanh")
        return x + self.shrink(self.coders[2](hidden))


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def take_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round; who begins changes from round to round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in list(runs.values()) * 2:
        run()
    order = list(runs)
    for _ in range(rounds):
        for name in order:
            times[name].append(seconds(runs[name]))
        order.append(order.pop(0))
    return times


def giga_macs(run: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2e9


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name, default in {
        "width": 768, "heads": 12, "tokens": 128, "layers": 2, "timesteps": 4, "rounds": 21
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--compile-codes", action="store_true", help="ours as fused kernels")
    parser.add_argument("--form", default="spikformer", help="form of our attention")
    parser.add_argument("--code", default="signed_if", help="code of both blocks")
    parser.add_argument(
        "--coder",
        choices=["TernaryIFNode", "IFNode"],
        default="TernaryIFNode",
        help="SpikingJelly's neuron that codes analog values: signed like ours, or the cheaper one",
    )
    return parser.parse_args()


@torch.no_grad()
def main() -> None:
    ask = arguments()
    torch.manual_seed(0)
    config = GPT2Config(
        n_embd=ask.width,
        n_head=ask.heads,
        n_layer=ask.layers,
        n_positions=ask.tokens,
        vocab_size=256,
        bos_token_id=0,
        eos_token_id=0,
    )
    choices = {
        "timesteps": ask.timesteps, "form": ask.form, "code": ask.code
    }  # fmt: skip
    ids = torch.randint(config.vocab_size, (1, ask.tokens))
    analog = GPT2LMHeadModel(config).eval()
    asked = SpikingConfig.model_validate(choices)
    spiking = convert(analog, asked, [ids], fused=ask.compile_codes)
    hidden = torch.randn(1, ask.tokens, ask.width)

    def ours() -> None:
        spiking.transformer(inputs_embeds=hidden, use_cache=False)

    def dense() -> None:
        analog.transformer(inputs_embeds=hidden, use_cache=False)

    runs: dict[str, Callable[[], object]] = {}
    for name, run in {"ours": ours, "analog": dense}.items():
        products = Products()
        with products:
            run()
        runs |= {name: run, f"products of {name}": products}

    if (ask.form, ask.code) == ("spikformer", "signed_if"):
        kind = getattr(neuron, ask.coder)
        blocks = nn.ModuleList(JellyBlock(ask.width, ask.heads, kind) for _ in range(ask.layers))

        def same_function() -> None:
            x = hidden.unsqueeze(0)
            for block in blocks:
                x = block.once_per_token(x, ask.timesteps)
            functional.reset_net(blocks)

        def everywhere() -> None:
            x = hidden.expand(ask.timesteps, *hidden.shape)
            for block in blocks:
                x = block.everywhere(x)
            functional.reset_net(blocks)

        runs |= {"SpikingJelly, same function": same_function}
        runs |= {"SpikingJelly, T everywhere": everywhere}
    else:
        print("SpikingJelly is left out: its network is that of spikformer and signed_if")
    found = functional.neuron_implementation("lif", torch.device("cpu"))["implementation"]
    print(f"{' '.join(f'{k}={v}' for k, v in vars(ask).items())}")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, SpikingJelly on {found}")
    times = take_turns(runs, ask.rounds)
    for name, run in runs.items():
        middle = statistics.median(times[name])
        print(f"  {name:28} {1e3 * middle:8.1f} ms, products of {giga_macs(run):.2f} GMAC")
    ratios = [("ours", "products of ours", ", asked <= 1.1")]
    ratios += [("analog", "products of analog", ""), ("ours", "analog", "")]
    ratios += [(name, "ours", ", asked >= 3") for name in runs if name.startswith("Spiking")]
    for over, under, target in ratios:
        ratio = sorted(a / b for a, b in zip(times[over], times[under], strict=True))
        spread = f"{ratio[0]:.2f} to {ratio[-1]:.2f}"
        print(f"  {over} / {under}: {statistics.median(ratio):.2f} ({spread}){target}")


if __name__ == "__main__":
    main()
