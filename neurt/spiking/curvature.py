"""How much the loss feels an error in each value that is coded, and dead zones made of it.

To second order, an error e in channel c of one token costs F_c e^2 / 2 nats, where F_c is the
diagonal of the Fisher information, E[(dL / dx_c)^2] with labels that the model itself draws
(Amari 1998; LeCun et al., "Optimal Brain Damage", 1989, use the same diagonal to silence weights).
An event of the channel costs its fan-out in accumulates. So at a price of lambda nats per
accumulate a value is worth its events if F_c x^2 / 2 > lambda fan_out_c, and the dead zone ends at
sqrt(2 lambda fan_out_c / F_c): one number decides all thresholds of a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from neurt.spiking.coder import Coder
from neurt.spiking.feedforward import SpikingFeedForward
from neurt.spiking.head import EventHead
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.neuron import NeuronError, check_given
from neurt.spiking.pow2 import PowerOfTwo
from neurt.spiking.precision import summed_in, wide
from neurt.spiking.softmax import SoftmaxAttention

#: Nats that an accumulate may cost, at factor 1; a factor on thresholds is squared here.
NATS_PER_ACCUMULATE = 1e-9
#: Share of it for softmax weights. The estimate takes errors as independent; those of the small
#: weights of a row have one sign and add up.
OF_WEIGHTS = 0.1
#: How far each channel is drawn to the mean of its layer, in logarithms. A few thousand tokens say
#: little about a single channel, and one that the calibration text hardly uses would fall silent.
TO_MEAN = 0.6


#: The curvature that was measured last, by what decides it: a sweep asks for the same many times.
_LAST: dict[str, dict[str, Tensor]] = {}


@torch.no_grad()
def set_dead_zones(
    model: SpikingLanguageModel,
    windows: Sequence[Tensor],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Tensor]:
    """Set the threshold of every coder from the curvature of the loss, which it returns by name.

    Args:
        model: A converted model in softmax form with the code `pow2`.
        windows: Token ids (batch, tokens) of calibration text.
    """
    key = _decides(model, windows)
    measured = _LAST.get(key)
    if measured is None:
        measured = curvature(model, windows, progress)
        _LAST.clear()
        _LAST.update({key: measured} if key else {})
    names = {coder: name for name, coder in coders(model)}
    tokens = max(window.shape[1] for window in windows)
    for block in model.modules():
        set_zones_of(block, {it: measured[name] for it, name in names.items()}, tokens)
    return measured


@torch.no_grad()
def set_zones_of(block: nn.Module, felt: Mapping[Coder, Tensor], tokens: int) -> None:
    """Set the thresholds of the coders of one block, if it has any, from F_c of each of them.

    Args:
        tokens: Of the longest window.
    """
    if not isinstance(block, (SoftmaxAttention, SpikingFeedForward, EventHead)):
        return
    for coder, fan_out in block.fan_outs(tokens):
        price = NATS_PER_ACCUMULATE * coder.factor**2
        share = OF_WEIGHTS if isinstance(coder, PowerOfTwo) and coder.bounded else 1.0
        curve = felt[coder].to(coder.threshold)
        # What the loss does not feel at all is silent, but its threshold stays a number.
        curve = curve.clamp(min=torch.finfo(curve.dtype).tiny ** 0.5)
        curve = curve ** (1 - TO_MEAN) * curve.mean() ** TO_MEAN
        coder.threshold.copy_((2 * price * share * fan_out / curve).sqrt())


def _decides(model: SpikingLanguageModel, windows: Sequence[Tensor]) -> str:
    """Digest of what decides the curvature; empty where weights lie elsewhere."""
    if any(parameter.device.type == "meta" for parameter in model.parameters()):
        return ""
    # The sizes of a model are in it too: angles and norms follow from them, and no parameter tells.
    config = model.config.to_dict() | {"spiking": len(coders(model))}
    digest = hashlib.sha256(f"{torch.get_num_threads()} {model.device} {config}".encode())
    for name, parameter in model.named_parameters():
        if not name.endswith(".threshold"):
            raw = parameter.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(f"{name} {parameter.dtype}".encode() + raw.numpy().tobytes())
    for window in windows:
        digest.update(f"{tuple(window.shape)}".encode() + window.cpu().numpy().tobytes())
    return digest.hexdigest()


def curvature(
    model: SpikingLanguageModel,
    windows: Sequence[Tensor],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """F_c of each channel of each coder by its name, measured on uncoded values.

    Args:
        model: A converted model in softmax form with dead zones by loss.
        windows: Token ids (batch, tokens).
        seed: Of the labels, which the model draws from its own predictions.

    Raises:
        NeuronError: If a prediction, or a value or a gradient (names the coder), is not finite.
    """
    draw = torch.Generator().manual_seed(seed)
    with listening(coders(model), model) as felt:
        for done, window in enumerate(windows):
            progress(done, len(windows))
            with torch.enable_grad():
                logits = model(input_ids=window, use_cache=False).logits.flatten(0, 1)
                surprise(logits, draw).backward()
        progress(len(windows), len(windows))
        return {name: felt[coder].mean() for name, coder in coders(model)}


def surprise(logits: Tensor, draw: torch.Generator) -> Tensor:
    """Cross-entropy, summed, of predictions (tokens, vocabulary) on labels drawn from them.

    Raises:
        NeuronError: If a prediction is not finite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise NeuronError(
            "a prediction on the calibration text is not finite; check the weights for NaN and for "
            "values that overflow"
        )
    logits = wide(logits)
    # On the CPU, so that a seed draws the same labels whatever the model runs on.
    drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=draw)
    labels = drawn[:, 0].to(logits.device)
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")


class Felt:
    """Sums of squared gradients of one coder's input."""

    def __init__(self, name: str, coder: Coder) -> None:
        self._name = name
        dtype = summed_in(coder.threshold.device)
        self.squares = torch.zeros_like(coder.threshold, dtype=dtype)
        self.values = torch.zeros_like(self.squares)
        self._arranged = coder.arranged

    def listen(self, x: Tensor) -> Tensor:
        """Pass the value on as a single event, and hear of its gradient."""
        check_given(self._name, x)
        if not x.requires_grad:  # the first of all has no other reason
            x.requires_grad_()
        x = x.view_as(x)  # of what other coders read too, this one hears its own part
        hidden = x.detach() == 0 if self._arranged is not None else None
        x.register_hook(lambda gradient: self._add(gradient, hidden))
        return x.unsqueeze(0)

    def _add(self, gradient: Tensor, hidden: Tensor | None) -> None:
        squares = wide(gradient.detach()).square()
        if hidden is None:  # (..., C)
            self.squares += squares.flatten(0, -2).sum(0)
            self.values += squares[..., 0].numel()
        else:  # weights (B, heads ..., S, N), of which the mask hides some
            over = (0, -2, -1)
            self.squares += squares.masked_fill(hidden, 0).sum(over).flatten()
            self.values += (~hidden).sum(over).flatten()

    def mean(self) -> Tensor:
        """F_c, in single precision."""
        mean = (self.squares / self.values.clamp(min=1)).float()
        if not bool(torch.isfinite(mean).all()):
            raise NeuronError(
                f"the gradient at '{self._name}' is not finite; check the weights for NaN and for "
                "values that overflow"
            )
        return mean


@contextmanager
def listening(named: Sequence[tuple[str, Coder]], model: nn.Module) -> Iterator[dict[Coder, Felt]]:
    """Inside the block these coders pass values on uncoded, and no parameter gathers a gradient.

    Args:
        named: The coders of the model, or of a part of it, by name.
        model: The model.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    felt = {coder: Felt(name, coder) for name, coder in named}
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        for coder, heard in felt.items():
            coder.stand_in = heard.listen
        yield felt
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        for coder in felt:
            coder.stand_in = None


def coders(model: nn.Module) -> list[tuple[str, Coder]]:
    """The coders of a model by name."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, Coder)]
