"""Gives the routers of mixtures of experts their rule, by what they compute; see `recognise`."""

from __future__ import annotations

from functools import partial
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
    """The rule of a router that returns logits, weights and the choice.

    It holds its matrix, or a dense layer that does. Or it returns (Llama 4) the weights of all
    experts, 0 for those that were not chosen, and the logits.
    """
    return None if _routing(layer) is None else router(_routing, matrix_of)


def _routing(layer: nn.Module) -> Routing | None:
    """How a router chooses, but for its numbers; None for another module."""
    matrix = matrix_of(layer)
    held = set(layer._parameters) | set(layer._buffers)
    if matrix is None or not isinstance(getattr(layer, "top_k", None), int):
        return None
    if not held <= {"weight", "bias", _CORRECTION}:
        return None
    corrections = [name for name, child in layer.named_children() if _corrects(child)]
    grouped = int(getattr(layer, "num_group", None) or 0) > 1
    grouped = grouped and getattr(layer, "topk_method", "") != "greedy"
    tensors = {
        "weight": _random(_EXPERTS, _WIDTH),
        "bias": _random(_EXPERTS),
        _CORRECTION: _random(_EXPERTS, seed=5),
    }
    sizes = {"num_experts": _EXPERTS, "hidden_dim": _WIDTH, "top_k": _CHOSEN}
    sizes |= {"num_group": 2 if grouped else 1, "topk_group": 1}
    sizes |= {"n_routed_experts": _EXPERTS, "hidden_size": _WIDTH, "input_size": _WIDTH}
    parts: dict[str, Any] = dict.fromkeys(corrections, partial(torch.add, tensors[_CORRECTION]))
    if matrix:
        child = nn.utils.skip_init(nn.Linear, _WIDTH, _EXPERTS, bias=_has_bias(layer, matrix))
        child.weight.data = tensors["weight"]
        if child.bias is not None:
            child.bias.data = tensors["bias"]
        parts[matrix] = child.requires_grad_(False)
    small, x = twin(layer, tensors, **sizes, **parts), _random(_TOKENS, _WIDTH, seed=3)
    # Some take tokens by sequence, and some the bias for the choice, from whoever calls.
    for tokens, told in product((x, x[None]), (False, True)):
        more = [tensors[_CORRECTION]] if told else []
        softmaxes = _Softmaxes()
        with softmaxes:
            given = attempt(type(layer).forward, small, tokens, *more)
        if given is not None:
            break
    if isinstance(given, tuple) and len(given) == 2:
        return _dense_routing(small, x, *given)
    if not isinstance(given, tuple) or len(given) != 3:
        return None
    logits, weights, index = given
    biased = _has_bias(layer, matrix)
    expected = x @ tensors["weight"].T + (tensors["bias"] if biased else 0)
    if not same(logits, expected) or not isinstance(index, Tensor) or index.dim() != 2:
        return None
    for scoring, normalised in product(Scoring, (False, True)):
        if scoring is Scoring.NEAR_BEST:
            found = _near_best(expected, index, getattr(layer, "router_jitter_noise", 0.0))
        else:
            found = _weights(expected, index, scoring, normalised)
        ratio = (weights / found).mean()
        if same(weights, found * ratio) and softmaxes.agree(scoring):
            scaled = not same(ratio, torch.ones_like(ratio))
            corrected = told or _CORRECTION in held or bool(corrections)
            best = 1 if hasattr(layer, "topk_method") else 2  # DeepSeek-V2 asks the best alone
            groups = 2 if grouped else 0
            return Routing(0, 0, scoring, normalised, corrected, scaled, groups, 1, best)
    return None


def matrix_of(layer: nn.Module) -> str | None:
    """The child that makes the logits, "" where a router holds its matrix; None where none does.

    Other children may correct the choice or make scores of logits, with no weights of their own.
    """
    own = layer._parameters.get("weight")
    dense = [name for name, child in layer.named_children() if isinstance(child, nn.Linear)]
    others = (child for child in layer.children() if not isinstance(child, nn.Linear))
    if any(any(True for _ in x.parameters()) and not _corrects(x) for x in others):
        return None
    if own is not None:
        return "" if own.dim() == 2 and not dense else None
    return dense[0] if len(dense) == 1 else None


def _corrects(child: nn.Module) -> bool:
    """Whether a module holds the bias for the choice, and nothing else."""
    return {*dict(child.named_parameters()), *dict(child.named_buffers())} == {_CORRECTION}


def _has_bias(layer: nn.Module, matrix: str) -> bool:
    holder: Any = getattr(layer, matrix) if matrix else layer
    return holder._parameters.get("bias") is not None


def _dense_routing(small: Any, x: Tensor, weights: Any, logits: Any) -> Routing | None:
    """How a router chooses that gives the weights of all experts."""
    if "weight" not in small._parameters:
        return None
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
        expected = {
            Scoring.SOFTMAX: [_EXPERTS],
            Scoring.NEAR_BEST: [_EXPERTS],
            Scoring.SOFTMAX_CHOSEN: [_CHOSEN],
        }
        return self._widths[:1] == expected.get(scoring, [])


def _near_best(logits: Tensor, index: Tensor, noise: object) -> Tensor:
    """Of each choice the softmax of what lies within twice a share of the largest that is left."""
    width = noise if isinstance(noise, float) else 0.0
    left, found = logits, []
    for chosen in index.unbind(1):
        best = left.amax(1, keepdim=True)
        far = (best - logits) / logits.abs().maximum(best) > 2 * width
        near = left.masked_fill(far, -torch.inf).softmax(1)
        found.append(near.gather(1, chosen[:, None]))
        left = left.scatter(1, chosen[:, None], -torch.inf)
    return torch.cat(found, 1)


def _weights(logits: Tensor, index: Tensor, scoring: Scoring, normalised: bool) -> Tensor:
    chosen = logits.gather(1, index)
    if scoring is Scoring.SOFTMAX:
        chosen = logits.softmax(-1).gather(1, index)
    elif scoring is Scoring.SOFTMAX_CHOSEN:
        chosen = chosen.softmax(-1)
    else:
        chosen = chosen.sigmoid()
    return chosen / chosen.sum(-1, keepdim=True) if normalised else chosen
