"""Gives the routers of mixtures of experts their rule, by what they compute; see `recognise`."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from energy.formulas.experts import Routing, Scoring
from energy.layers.trial import attempt, same, twin
from energy.meter.rules import Rule
from energy.meter.tally_experts import router

#: Of the stand-ins: experts, chosen ones, entries of a vector, tokens.
_EXPERTS, _CHOSEN, _WIDTH, _TOKENS = 8, 2, 4, 6
_CORRECTION = "e_score_correction_bias"


def _random(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape))) - 1


def router_rule(layer: nn.Module) -> Rule | None:
    """The rule of a router that holds its matrix and returns logits, weights and the choice.

    Or (Llama 4) the weights of all experts, 0 for those that were not chosen, and the logits.
    """
    return None if _routing(layer) is None else router(_routing)


def _routing(layer: nn.Module) -> Routing | None:
    """How a router chooses, but for its numbers; None for another module."""
    weight = layer._parameters.get("weight")
    held = set(layer._parameters) | set(layer._buffers)
    if weight is None or weight.dim() != 2 or not isinstance(getattr(layer, "top_k", None), int):
        return None
    if not held <= {"weight", "bias", _CORRECTION} or layer._modules:
        return None
    grouped = int(getattr(layer, "num_group", None) or 0) > 1
    grouped = grouped and getattr(layer, "topk_method", "") != "greedy"
    tensors = {
        "weight": _random(_EXPERTS, _WIDTH),
        "bias": _random(_EXPERTS),
        _CORRECTION: _random(_EXPERTS, seed=5),
    }
    sizes = {"num_experts": _EXPERTS, "hidden_dim": _WIDTH, "top_k": _CHOSEN}
    sizes |= {"num_group": 2 if grouped else 1, "topk_group": 1}
    small, x = twin(layer, tensors, **sizes), _random(_TOKENS, _WIDTH, seed=3)
    with _Softmaxes() as softmaxes:
        given = attempt(type(layer).forward, small, x)
        told = given is None  # the bias for the choice, by whoever calls
        if told:
            given = attempt(type(layer).forward, small, x, tensors[_CORRECTION])
    if isinstance(given, tuple) and len(given) == 2:
        return _dense_routing(small, x, *given)
    if not isinstance(given, tuple) or len(given) != 3:
        return None
    logits, weights, index = given
    bias = small._parameters.get("bias")
    expected = x @ tensors["weight"].T + (0 if bias is None else bias)
    if not same(logits, expected) or not isinstance(index, Tensor) or index.dim() != 2:
        return None
    for scoring, normalised in product(Scoring, (False, True)):
        found = _weights(expected, index, scoring, normalised)
        ratio = (weights / found).mean()
        if same(weights, found * ratio) and softmaxes.agree(scoring):
            scaled = not same(ratio, torch.ones_like(ratio))
            corrected = told or _CORRECTION in held
            best = 1 if hasattr(layer, "topk_method") else 2  # DeepSeek-V2 asks the best alone
            groups = 2 if grouped else 0
            return Routing(0, 0, scoring, normalised, corrected, scaled, groups, 1, best)
    return None


def _dense_routing(small: Any, x: Tensor, weights: Any, logits: Any) -> Routing | None:
    """How a router chooses that gives the weights of all experts."""
    expected = x @ small.weight.T
    best = expected.topk(_CHOSEN, 1)
    found = torch.zeros_like(expected).scatter(1, best.indices, best.values.sigmoid())
    if "bias" in small._parameters and small._parameters["bias"] is not None:
        return None
    chosen = Routing(0, 0, Scoring.SIGMOID_CHOSEN)
    return chosen if same(logits, expected) and same(weights, found) else None


class _Softmaxes(TorchFunctionMode):
    """Over how many entries softmax is taken; of all experts or the chosen ones is one result."""

    def __init__(self) -> None:
        super().__init__()
        self._widths: list[int] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "softmax" and isinstance(out, Tensor):
            self._widths.append(out.shape[-1])
        return out

    def agree(self, scoring: Scoring) -> bool:
        """Whether a way of scoring takes such a softmax, or none."""
        expected = {Scoring.SOFTMAX: [_EXPERTS], Scoring.SOFTMAX_CHOSEN: [_CHOSEN]}
        return self._widths[:1] == expected.get(scoring, [])


def _weights(logits: Tensor, index: Tensor, scoring: Scoring, normalised: bool) -> Tensor:
    chosen = logits.gather(1, index)
    if scoring is Scoring.SOFTMAX:
        chosen = logits.softmax(-1).gather(1, index)
    elif scoring is Scoring.SOFTMAX_CHOSEN:
        chosen = chosen.softmax(-1)
    else:
        chosen = chosen.sigmoid()
    return chosen / chosen.sum(-1, keepdim=True) if normalised else chosen
