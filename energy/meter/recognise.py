"""Gives layer types of transformers the rule of the function that they compute.

transformers has some hundred copies of the same few layers, one per model: `LlamaRMSNorm`,
`Qwen2RMSNorm`, ... A name proves nothing (`GemmaRMSNorm` scales by 1 + weight), so a type is tried:
its forward runs on a twin of the layer with a few random parameters, and only where the result is
that of a known function the type gets that function's rule. All others stay without a rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy.formulas import Conventions, nonlinear
from energy.layers.trial import attempt, same, twin
from energy.meter.recognise_experts import experts_rule, note_chosen
from energy.meter.recognise_recurrent import recurrent_rule
from energy.meter.recognise_router import router_rule
from energy.meter.recognise_scan import scan_rule
from energy.meter.rules import Rows, Rule, is_known, ruled, tally_call
from energy.meter.tally_elementwise import Formula, activation, norm, rotary_angles
from hwmodels import Op

_ACTIVATIONS: tuple[tuple[Callable[[Tensor], Tensor], Formula], ...] = (
    (nn.functional.relu, nonlinear.relu),
    (lambda x: x.relu().square(), nonlinear.relu_squared),
    (nn.functional.silu, nonlinear.silu),
    (nn.functional.gelu, nonlinear.gelu_erf),
    (lambda x: nn.functional.gelu(x, approximate="tanh"), nonlinear.gelu_tanh),
    (lambda x: x * (1.702 * x).sigmoid(), nonlinear.quick_gelu),
)


def recognise(layers: Iterable[nn.Module]) -> None:
    """Register a rule for each type of transformers whose forward is a known function.

    One layer of each type is tried, and is neither changed nor run; see `energy.layers.trial`.
    """
    layers = list(layers)
    first = {type(layer): layer for layer in layers}
    for kind, layer in first.items():
        # The classes of others are not run without being asked to.
        if not kind.__module__.startswith("transformers.") or is_known(kind):
            continue
        rule = experts_rule(layer) or scan_rule(layer) or recurrent_rule(layer)
        rule = rule or router_rule(layer)
        if rule is None and not layer._modules:
            rule = _rule_of(layer)
        if rule is not None:
            tally_call.register(kind, rule)
    for layer in layers:
        note_chosen(layer)


def _rule_of(layer: nn.Module) -> Rule | None:
    parameters, buffers = set(layer._parameters), set(layer._buffers)
    if isinstance(layer, nn.Embedding):
        return _look_up(layer)
    if isinstance(layer, (nn.Linear, Conv1D)):
        return _product(layer)
    if any(name.endswith("inv_freq") for name in buffers):
        return _angles(layer)
    if parameters <= {"weight", "bias"} and not buffers:
        return _norm(layer) or (None if parameters else _activation(layer))
    return None


def _random(*shape: int) -> Tensor:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(len(shape)))
    return 0.5 + values  # of one sign, so that means differ from zero


def _run(layer: nn.Module, *args: Any, tensors: dict[str, Tensor], **kwargs: Any) -> Any:
    """What the class's forward returns with other parameters and buffers; None for a misfit."""
    return attempt(type(layer).forward, twin(layer, tensors, padding_idx=None), *args, **kwargs)


def _norm(layer: nn.Module) -> Rule | None:
    weight, bias = layer._parameters.get("weight"), layer._parameters.get("bias")
    if weight is not None and weight.dim() not in (1, 2):
        return None
    width = getattr(layer, "normalized_shape", (8,))[-1] if weight is None else weight.shape[-1]
    if bias is not None and (bias.shape != (width,) or (weight is not None and weight.dim() != 1)):
        return None
    each = (width,) if weight is None else weight.shape  # each head may have weights of its own
    scale, shift = _random(*each), (0.0 if bias is None else _random(width).flip(0))
    # Large values, beside which epsilon vanishes.
    less = torch.tensor([0.0, 0.5, 1.0]).reshape(3, *[1] * len(each))
    x = 1000 * (_random(3, *each) - less)
    tensors = {"weight": scale} | ({"bias": shift} if isinstance(shift, Tensor) else {})
    out = _run(layer, x, tensors=tensors)
    for centred in (False, True) if bias is None else (True,):
        base = x - x.mean(-1, keepdim=True) if centred else x
        base = base * base.square().mean(-1, keepdim=True).rsqrt()
        for offset in (False, True) if weight is not None and weight.dim() == 1 else (False,):
            if same(out, base * (1.0 if weight is None else scale + offset) + shift):
                return norm(centred=centred, offset=offset)
    return None


def _activation(layer: nn.Module) -> Rule | None:
    x = torch.linspace(-12, 12, 193)
    out = _run(layer, x.clone(), tensors={})
    return next((activation(formula) for f, formula in _ACTIVATIONS if same(out, f(x))), None)


def _product(layer: nn.Linear | Conv1D) -> Rule | None:
    """The rule of a subclass of a dense layer that says the same in other words."""
    x = _random(2, 5, 4)
    weight, bias = _random(4, 3), _random(3)
    tensors = {"weight": weight if isinstance(layer, Conv1D) else weight.T, "bias": bias}
    tensors = {name: x for name, x in tensors.items() if layer._parameters.get(name) is not None}
    out = _run(layer, x, tensors=tensors)
    if set(layer._parameters) != {"weight", "bias"}:
        return None
    expected = x @ weight + (bias if "bias" in tensors else 0)
    return tally_call.dispatch(ruled(type(layer))) if same(out, expected) else None


def _look_up(layer: nn.Embedding) -> Rule | None:
    """The rule of a look-up of positions (with an offset) or of words (perhaps scaled)."""
    rule = tally_call.dispatch(ruled(type(layer)))
    table, ids = _random(13, 4), torch.tensor([[3, 1, 4, 1]])
    tensors = {"weight": table} | {name: torch.tensor(3.0) for name in layer._buffers}
    words = inspect.signature(type(layer).forward).parameters
    if "position_ids" in words:
        ahead = [word for word in list(words)[1:] if words[word].default is inspect._empty]
        given = dict.fromkeys(ahead, torch.ones_like(ids)) | {"position_ids": ids}
        out = _run(layer, tensors=tensors, **given)
        return rule if same(out, table[ids + getattr(layer, "offset", 0)]) else None
    out = _run(layer, ids, tensors=tensors)
    if same(out, table[ids]):
        return rule
    if not isinstance(out, Tensor) or out.shape != table[ids].shape:
        return None
    scale = (out / table[ids]).mean()
    return _scaled(rule) if same(out / scale, table[ids]) else None


def _scaled(rule: Rule) -> Rule:
    def scaled(
        layer: nn.Module, name: str, args: Any, out: Tensor, conventions: Conventions
    ) -> Rows:
        looked_up = rule(layer, name, args, out, conventions)[""]
        return {"": looked_up._replace(ops={**looked_up.ops, Op.MUL: out.numel()})}

    return scaled


def _angles(layer: Any) -> Rule | None:
    """The rule of a table of the cosines and sines of position x frequency."""
    kinds = [""]
    if "layer_type" in inspect.signature(type(layer).forward).parameters:
        names = (name for name in layer._buffers if not name.endswith("original_inv_freq"))
        kinds = [name.removesuffix("inv_freq") for name in names]
    positions = torch.arange(5)[None]
    matches = set()
    for kind in kinds:
        own = layer._buffers.get(f"{kind}inv_freq")
        if own is None:
            return None
        frequencies = _random(own.numel())
        given = {"layer_type": kind[:-1]} if kind else {}
        tensors = dict.fromkeys((f"{kind}inv_freq", f"{kind}original_inv_freq"), frequencies)
        out = _run(layer, _random(1, 1, 1), positions, tensors=tensors, **given)
        scale = getattr(layer, f"{kind}attention_scaling", 1.0)
        matches.add(_doubled(out, positions[..., None] * frequencies, scale))
    return rotary_angles if matches == {True} else None


def _doubled(out: Any, angles: Tensor, scale: float) -> bool:
    """Whether a table holds each angle twice, in halves or in pairs."""
    if not isinstance(out, tuple) or len(out) != 2:
        return False
    return any(
        same(out[0], twice.cos() * scale) and same(out[1], twice.sin() * scale)
        for twice in (torch.cat((angles, angles), -1), angles.repeat_interleave(2, -1))
    )
