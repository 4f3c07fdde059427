"""A network that is left as it was: the state of its modules before a pass is that after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

#: What a module holds that is none of its state; hooks are taken off by whoever put them on.
_OWN = {"_parameters", "_modules", "training", "_compiled_call_impl"} | {
    key for key in vars(nn.Module()) if "hooks" in key
}


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Let the block change what it likes; every attribute and buffer is as before after it."""
    before = [(module, _state(module)) for module in model.modules()]
    try:
        yield
    finally:
        for module, state in before:
            _restore(module, state)


def _state(module: nn.Module) -> dict[str, Any]:
    return {key: _copy(value) for key, value in vars(module).items() if key not in _OWN}


def _copy(value: Any) -> Any:
    """A value, with the contents of what may be changed in place."""
    if isinstance(value, Tensor):
        return value, (value.detach().clone(), _version(value))
    if isinstance(value, dict):
        return value, {key: _copy(x) for key, x in value.items()}
    if isinstance(value, list):
        return value, [_copy(x) for x in value]
    if isinstance(value, set):
        return value, set(value)
    return value, None


def _restore(module: nn.Module, state: dict[str, Any]) -> None:
    own = vars(module)
    for key in [key for key in own if key not in _OWN and key not in state]:
        del own[key]
    for key, copied in state.items():
        own[key] = _original(copied)


def _original(copied: tuple[Any, Any]) -> Any:
    value, contents = copied
    if isinstance(value, Tensor):
        clone, version = contents
        if _version(value) != version:  # it was written into
            value.detach().copy_(clone)
    elif isinstance(value, dict):
        value.clear()
        value.update({key: _original(x) for key, x in contents.items()})
    elif isinstance(value, list):
        value[:] = [_original(x) for x in contents]
    elif isinstance(value, set):
        value.clear()
        value.update(contents)
    return value


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else int(tensor._version)
