"""Gives the modules of mixtures of experts their rules, by what they compute; see `recognise`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from energy.formulas.experts import Routing, Scoring
from energy.layers.trial import attempt, same, twin
from energy.meter.rules import Rule, tally_call
from energy.meter.tally_experts import chosen_of, experts, repeated_experts, router

#: Of the stand-ins: experts, chosen ones, entries of a vector, entries of the hidden layer, tokens.
_EXPERTS, _CHOSEN, _WIDTH, _HIDDEN, _TOKENS = 8, 2, 4, 3, 6
#: What a clamp of a gate is set to, so that it shows.
_LIMIT = 0.75
_CORRECTION = "e_score_correction_bias"
_ACTIVATIONS = ("act_fn", "activation_fn", "act")


def experts_rule(layer: nn.Module) -> Rule | None:
    """The rule of a module that holds the weights of all experts; None for any other."""
    held = set(layer._parameters)
    if "down_proj" not in held or not held & {"gate_up_proj", "up_proj"}:
        return None
    up = "gate_up_proj" if "gate_up_proj" in held else "up_proj"
    if not held <= {up, "down_proj", f"{up}_bias", "down_proj_bias"}:
        return None
    if any(
        getattr(layer, name) is None or getattr(layer, name).dim() != 3
        for name in (up, "down_proj")
    ):
        return None
    transposed = bool(getattr(layer, "is_transposed", False))
    small = _small(layer, up, transposed)
    for gate, how in _gates(layer, up):
        if _runs(small, up, gate, transposed):
            return experts(transposed=transposed, **how)
    return repeated_experts if _repeats(layer) else None


def _random(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape))) - 1


def _small(layer: nn.Module, up: str, transposed: bool) -> Any:
    """The module with weights of few random numbers, run expert by expert."""
    hidden = 2 * _HIDDEN if up == "gate_up_proj" else _HIDDEN
    shapes = (
        ((_WIDTH, hidden), (_HIDDEN, _WIDTH))
        if transposed
        else ((hidden, _WIDTH), (_WIDTH, _HIDDEN))
    )
    tensors = {
        up: _random(_EXPERTS, *shapes[0]),
        "down_proj": _random(_EXPERTS, *shapes[1], seed=1),
        f"{up}_bias": _random(_EXPERTS, hidden),
        "down_proj_bias": _random(_EXPERTS, _WIDTH, seed=2),
    }
    limits = {name: _LIMIT for name in ("limit", "swiglu_limit") if name in vars(layer)}
    eager = SimpleNamespace(_experts_implementation="eager")
    sizes = {"num_experts": _EXPERTS, "hidden_dim": _WIDTH, "intermediate_dim": _HIDDEN}
    return twin(layer, tensors, config=eager, **sizes, **limits)


Gate = Callable[[Tensor], Tensor]


def _gates(layer: nn.Module, up: str) -> Iterator[tuple[Gate, dict[str, bool]]]:
    """What may stand between the two products, and what of it is beside activation and product."""
    children = [name for name in _ACTIVATIONS if name in layer._modules]
    act: Any = layer._modules[children[0]] if children else nn.functional.silu
    if up == "up_proj":
        yield act, {"clamped": False, "shifted": False}
        return
    alpha = next((x for x in ("alpha", "swiglu_alpha") if x in vars(layer)), None)
    factor = getattr(layer, alpha) if alpha else 1.0
    for paired, clamped in product((False, True), (False, True)):
        for shifted in (False, True):
            yield (
                _gate(act, paired, clamped, factor if shifted else None),
                {"clamped": clamped, "shifted": shifted},
            )
        if clamped:  # the activation before its clamp
            yield _clamped_after(act, paired), {"clamped": True, "shifted": False}


def _split(both: Tensor, paired: bool) -> tuple[Tensor, Tensor]:
    gate, up = (both[..., ::2], both[..., 1::2]) if paired else both.chunk(2, -1)
    return gate, up


def _gate(act: Any, paired: bool, clamped: bool, factor: float | None) -> Gate:
    def gated(both: Tensor) -> Tensor:
        gate, up = _split(both, paired)
        if clamped:
            gate, up = gate.clamp(max=_LIMIT), up.clamp(-_LIMIT, _LIMIT)
        if factor is None:
            return torch.as_tensor(act(gate) * up)
        return (up + 1) * (gate * torch.sigmoid(gate * factor))

    return gated


def _clamped_after(act: Any, paired: bool) -> Gate:
    def gated(both: Tensor) -> Tensor:
        gate, up = _split(both, paired)
        return torch.as_tensor(act(gate).clamp(max=_LIMIT) * up.clamp(-_LIMIT, _LIMIT))

    return gated


def _runs(small: Any, up: str, gate: Gate, transposed: bool) -> bool:
    """Whether a module of few numbers computes the weighted sum of what the chosen experts do."""
    x, index, weights = (
        _random(_TOKENS, _WIDTH, seed=3),
        _chosen(),
        _random(_TOKENS, _CHOSEN, seed=4),
    )
    out = attempt(type(small).forward, small, x, index, weights)
    into, from_ = getattr(small, up), small.down_proj
    if not transposed:
        into, from_ = into.mT, from_.mT
    biases = (small._parameters.get(name) for name in (f"{up}_bias", "down_proj_bias"))
    first, second = (0 if bias is None else bias[index] for bias in biases)
    hidden = attempt(gate, torch.einsum("td,tkdh->tkh", x, into[index]) + first)
    if hidden is None:
        return False
    results = torch.einsum("tkh,tkhd->tkd", hidden, from_[index]) + second
    return same(out, (results * weights[..., None]).sum(1))


def _chosen() -> Tensor:
    """Experts of each token, no token twice the same."""
    first = torch.arange(_TOKENS)
    return torch.stack((first, (3 * first + 1) % _EXPERTS), -1)


def _repeats(layer: nn.Module) -> bool:
    """Whether a module runs each expert on its own part of the rows (Llama 4)."""
    tensors = {
        "gate_up_proj": _random(_EXPERTS, _WIDTH, 2 * _HIDDEN),
        "down_proj": _random(_EXPERTS, _HIDDEN, _WIDTH, seed=1),
    }
    x = _random(_EXPERTS * _TOKENS, _WIDTH, seed=3)
    small = twin(layer, tensors, hidden_size=_WIDTH)
    out = attempt(type(layer).forward, small, x)
    act = layer._modules.get("act_fn")
    if out is None or act is None:
        return False
    gate, up = (x.reshape(_EXPERTS, -1, _WIDTH) @ tensors["gate_up_proj"]).chunk(2, -1)
    return same(out, ((up * act(gate)) @ tensors["down_proj"]).reshape(-1, _WIDTH))


def note_chosen(layer: nn.Module) -> None:
    """Note how many experts a token chooses, for experts of this layer that run all of them."""
    held, chosen = layer._modules.get("experts"), getattr(layer, "top_k", None)
    repeats = held is not None and tally_call.dispatch(type(held)) is repeated_experts
    if repeats and isinstance(chosen, int):
        chosen_of[held] = chosen


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
