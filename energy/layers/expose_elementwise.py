"""Gives the rotary positions and the gates of a Hugging Face model modules of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from energy.layers.elementwise import Multiply, Rotary, Rotation
from energy.layers.matmul import AttentionCore
from energy.layers.trial import attempt, same, twin

#: Functions of modelling code that apply rotary positions; some code has both, and chooses.
_APPLY = ("apply_rotary_pos_emb", "apply_rotary_pos_emb_interleave")

#: Modelling modules with the function that is exchanged, their own function, and for how many
#: models.
_exchanged: dict[tuple[ModuleType, str], tuple[Rotation, int]] = {}


def rotation_of(attention: nn.Module) -> Rotation | None:
    """The function with which the modelling code of an attention module applies its positions.

    None where there is none, or where it does something else than turn pairs of channels by the
    angles that it is given, which is tried with a few random numbers.
    """
    return next(iter(_rotations_of(sys.modules[type(attention).__module__]).values()), None)


def _rotations_of(source: ModuleType) -> dict[str, Rotation]:
    """The functions of modelling code that turn pairs of channels, by name."""
    found: dict[str, Rotation] = {}
    for name in _APPLY:
        if (source, name) in _exchanged:
            found[name] = _exchanged[source, name][0]
        elif callable(own := getattr(source, name, None)) and _rotates(own):
            found[name] = own
    return found


@contextmanager
def counted_rotary(attentions: Iterable[nn.Module]) -> Iterator[None]:
    """Let modelling code apply rotary positions through `attention.core.rotary` inside the block.

    Attention modules that have none stay as they are.
    """
    cores = ((module, getattr(module, "core", None)) for module in attentions)
    sources = {
        sys.modules[type(module).__module__]
        for module, core in cores
        if isinstance(getattr(core, "rotary", None), Rotary)
    }
    exchanged = [(source, name) for source in sources for name in _rotations_of(source)]
    for source, name in exchanged:
        own, users = _exchanged.get((source, name), (getattr(source, name), 0))
        _exchanged[source, name] = own, users + 1
        setattr(source, name, _through_core(own))
    try:
        yield
    finally:
        for source, name in exchanged:
            own, users = _exchanged.pop((source, name))
            if users > 1:  # another model of the family is still exposed
                _exchanged[source, name] = own, users - 1
            else:
                setattr(source, name, own)


def _through_core(own: Rotation) -> Rotation:
    @wraps(own)
    def apply(*args: Any, **kwargs: Any) -> Any:
        # The attention module whose forward calls; it may be one that is not exposed.
        core = getattr(sys._getframe(1).f_locals.get("self"), "core", None)
        rotary = core._modules.get("rotary") if isinstance(core, AttentionCore) else None
        if not isinstance(rotary, Rotary) or kwargs or len(args) != 4:
            return own(*args, **kwargs)
        rotary.rotation = own
        return rotary(*args)

    return apply


def _rotates(own: Rotation) -> bool:
    random = torch.Generator().manual_seed(0)
    query, key = (torch.rand(1, heads, 3, 8, generator=random) for heads in (2, 1))
    cos, sin = (torch.rand(1, 3, 4, generator=random) for _ in range(2))
    halves, pairs = (partial(_twice, pairwise=pairwise) for pairwise in (False, True))
    # Which channels make a pair, and how the table is laid out that says so: Llama, Cohere, GLM;
    # DeepSeek-V3 puts the first of each pair before the second ones.
    for pairwise, table in ((False, halves), (True, pairs), (True, halves)):
        out = attempt(own, query, key, table(cos), table(sin))
        expected = [_turned(x, cos, sin, pairwise=pairwise) for x in (query, key)]
        apart = [torch.cat((x[..., ::2], x[..., 1::2]), -1) for x in expected]
        if isinstance(out, tuple) and len(out) == 2:
            wanted = (expected, apart) if pairwise else (expected,)
            if any(all(map(same, out, one)) for one in wanted):
                return True
    return False


def _twice(table: Tensor, *, pairwise: bool) -> Tensor:
    return table.repeat_interleave(2, -1) if pairwise else torch.cat((table, table), -1)


def _turned(x: Tensor, cos: Tensor, sin: Tensor, *, pairwise: bool) -> Tensor:
    first, second = (x[..., ::2], x[..., 1::2]) if pairwise else x.chunk(2, -1)
    turned = first * cos - second * sin, second * cos + first * sin
    return torch.stack(turned, -1).flatten(-2) if pairwise else torch.cat(turned, -1)


@contextmanager
def counted_gates(model: nn.Module) -> Iterator[None]:
    """Let gated feed-forwards multiply through a child `multiply` inside the block.

    A feed-forward takes part if its children are the projections and the activation of one of two
    known forms and its forward computes that form, which is tried with small stand-ins. Logits stay
    the same to the bit, and other feed-forwards as they are.
    """
    gated = [(module, form) for module in model.modules() if (form := _form(module)) is not None]
    owns = [(module, vars(module).get(_slot(module))) for module, _ in gated]
    try:
        for module, form in gated:
            module.multiply = Multiply().train(module.training)
            vars(module)[_slot(module)] = MethodType(form, module)
        yield
    finally:
        for module, own in owns:
            if "multiply" in module._modules:
                del module.multiply
            vars(module).pop(_slot(module), None)
            if own is not None:
                vars(module)[_slot(module)] = own


def _slot(module: nn.Module) -> str:
    """Where the forward of a module is exchanged: a hook of Accelerate calls the one it found."""
    return "_old_forward" if "_hf_hook" in vars(module) else "forward"


def _separate(act: str, mlp: Any, x: Tensor) -> Any:
    return mlp.down_proj(mlp.multiply(getattr(mlp, act)(mlp.gate_proj(x)), mlp.up_proj(x)))


def _fused(act: str, mlp: Any, x: Tensor) -> Any:
    gate, up = mlp.gate_up_proj(x).chunk(2, dim=-1)
    return mlp.down_proj(mlp.multiply(up, getattr(mlp, act)(gate)))


def _scaled(act: str, mlp: Any, x: Tensor) -> Any:
    gate = getattr(mlp, act)(mlp.gate_proj(x) * mlp.gate_multiplier)
    return mlp.down_proj(mlp.multiply(mlp.up_proj(x), gate)) * mlp.down_multiplier


def _chunked(act: str, mlp: Any, x: Tensor) -> Any:
    gate, up = mlp.input_linear(x).chunk(2, dim=-1)
    return mlp.output_linear(mlp.multiply(getattr(mlp, act)(gate), up))


_FORMS: dict[frozenset[str], tuple[Callable[[str, Any, Tensor], Any], ...]] = {
    frozenset(("gate_proj", "up_proj", "down_proj")): (_separate, _scaled),  # Llama, Falcon-H1
    frozenset(("gate_up_proj", "down_proj")): (_fused,),  # Phi-3
    frozenset(("input_linear", "output_linear")): (_chunked,),  # Granite
}


def _form(module: nn.Module) -> Callable[[Any, Tensor], Any] | None:
    """The forward of a gated feed-forward with its product in a child; None for other modules."""
    for act in ("act_fn", "activation_fn", "act", "activation"):
        known = _FORMS.get(frozenset(module._modules) - {act})
        if act in module._modules and known is not None:
            own = vars(module).get(_slot(module))
            plain = own is None or getattr(own, "__func__", None) is type(module).forward
            free = plain and not hasattr(module, "multiply")
            forms = (partial(form, act) for form in known)
            return next((form for form in forms if free and _computes(module, form)), None)
    return None


def _computes(module: nn.Module, form: Callable[[Any, Tensor], Any]) -> bool:
    random = torch.Generator().manual_seed(0)
    stand_ins = {
        name: partial(linear, weight=torch.rand(fan_out, fan_in, generator=random) - 0.5)
        for name, fan_out, fan_in in (
            ("gate_proj", 5, 3),
            ("up_proj", 5, 3),
            ("gate_up_proj", 10, 3),
            ("down_proj", 3, 5),
            ("input_linear", 10, 3),
            ("output_linear", 3, 5),
        )
    }
    small = twin(module, {}, multiply=Multiply(), **stand_ins)
    x = torch.rand(1, 2, 3, generator=random)
    out, expected = attempt(type(module).forward, small, x), attempt(form, small, x)
    return isinstance(out, Tensor) and isinstance(expected, Tensor) and torch.equal(out, expected)
