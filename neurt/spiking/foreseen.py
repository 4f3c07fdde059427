"""Whether a conversion costs the loss that the curvature foresees.

Dead zones by loss take the errors of all values as small and independent: an error e in channel c
of one token costs F_c e^2 / 2 nats. So the loss grows with the square of the factor, without any
sign of it in the zones themselves; and were errors to add up instead, it would grow faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from neurt.spiking.coder import Coder
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.neuron import check_given
from neurt.spiking.precision import wide

#: KL in nats a token beyond which a conversion is no longer close: exp(0.2) is +22 % perplexity
#: where errors never help. SmolLM2-135M with factor 1 in feed-forward blocks has 0.115 at factor 4
#: in attention, and 0.40 at 8.
LARGE_NATS = 0.2
#: A measured loss of so many times the foreseen one is more than independent errors make. There it
#: is 0.96 to 1.2 times, at every factor from 1 to 8.
FAR = 2.0
#: Losses below are too small to be worth a word.
SMALL_NATS = 1e-3
#: Tokens whose predictions over the whole vocabulary are compared at a time.
_ROWS = 64


class Foreseen(NamedTuple):
    """What zones cost on one window, per token: KL divergence of the analog model, in nats."""

    foreseen_nats: float  #: sum of F_c e^2 / 2 over the errors that arise
    measured_nats: float  #: KL(analog || spiking)

    @property
    def warning(self) -> str:
        """What there is to say of it; nothing where the loss is moderate and was foreseen."""
        if self.measured_nats > max(FAR * self.foreseen_nats, SMALL_NATS):
            why = f"and the curvature of the loss foresees {self.foreseen_nats:.3g}: errors add up "
            why += "that it takes as independent"
        elif self.measured_nats > LARGE_NATS:
            why = f"more than {LARGE_NATS:g}: its predictions are no longer close to those of the "
            why += "analog model"
        else:
            return ""
        return (
            f"On calibration text the conversion costs {self.measured_nats:.3g} nats (KL) a token, "
            f"{why}. Lower --threshold, --attention-threshold or --product-threshold."
        )


@torch.no_grad()
def foresee(model: SpikingLanguageModel, felt: Mapping[str, Tensor], window: Tensor) -> Foreseen:
    """Compare what the errors on a window should cost with what they do.

    Args:
        model: A converted model with dead zones by loss.
        felt: F_c of each channel of each coder, by its name.
        window: Token ids (batch, tokens).
    """
    coders = {name: it for name, it in model.named_modules() if isinstance(it, Coder)}
    with uncoded(coders):
        analog = _logits(model, window)
    with costing(coders, felt) as costs:
        spiking = _logits(model, window)
    return foreseen(analog, spiking, costs)


def foreseen(analog: Tensor, spiking: Tensor, costs: Sequence[Tensor]) -> Foreseen:
    """What zones cost, from logits (batch, tokens, vocabulary) without and with them.

    Args:
        costs: Those of `costing`, while the second were made.
    """
    pairs = zip(*(logits.flatten(0, 1).split(_ROWS) for logits in (analog, spiking)), strict=True)
    divergence = torch.cat([_divergence(*pair) for pair in pairs])
    return Foreseen(float(sum(costs)) / 2 / len(divergence), float(divergence.mean()))


def _divergence(analog: Tensor, spiking: Tensor) -> Tensor:
    """KL(analog || spiking) of each row of logits (tokens, vocabulary)."""
    p, q = (logits.float().log_softmax(-1) for logits in (analog, spiking))
    return (p.exp() * (p - q)).sum(-1)


def _logits(model: SpikingLanguageModel, window: Tensor) -> Tensor:
    found: Tensor = model(input_ids=window, use_cache=False).logits
    return found


@contextmanager
def costing(coders: Mapping[str, Coder], felt: Mapping[str, Tensor]) -> Iterator[list[Tensor]]:
    """Inside the block, gather F_c e^2 over the errors e of each coder as it codes.

    Args:
        coders: By name.
        felt: F_c of each channel, by the same names.
    """
    costs: list[Tensor] = []

    def add(curvature: Tensor, coder: Coder, args: tuple[Tensor], events: Tensor) -> None:
        squares = (coder.decode(wide(events)) - wide(args[0])).square()
        if coder.arranged is not None:
            curvature = curvature.view(coder.arranged)
        costs.append((squares * curvature.to(squares)).sum())

    with ExitStack() as stack:
        for name, coder in coders.items():
            stack.callback(coder.register_forward_hook(partial(add, felt[name])).remove)
        yield costs


@contextmanager
def uncoded(coders: Mapping[str, Coder]) -> Iterator[None]:
    """Inside the block coders pass their values on as they are, if they are finite.

    Raises:
        NeuronError: If one is not (names the coder).
    """

    def stand_in(name: str, x: Tensor) -> Tensor:
        check_given(name, x)
        return x.unsqueeze(0)

    try:
        for name, coder in coders.items():
            coder.stand_in = partial(stand_in, name)
        yield
    finally:
        for coder in coders.values():
            coder.stand_in = None
