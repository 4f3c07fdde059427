"""Gives what holds the experts of a mixture its rule, by what they compute; see `recognise`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from energy.layers.trial import attempt, same, twin
from energy.meter.rules import Rule, tally_call
from energy.meter.tally_experts import chosen_of, experts, repeated_experts

#: Of the stand-ins: experts, chosen ones, entries of a vector, entries of the hidden layer, tokens.
_EXPERTS, _CHOSEN, _WIDTH, _HIDDEN, _TOKENS = 8, 2, 4, 3, 6
#: What a clamp of a gate is set to, so that it shows.
_LIMIT = 0.75
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
