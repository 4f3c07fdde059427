"""A network that is left as it was: the state of its modules before a pass is that after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn

#: What a module holds that is none of its state; hooks are taken off by whoever put them on.
_OWN = {"_parameters", "_modules", "training", "_compiled_call_impl"} | {
    key for key in vars(nn.Module()) if "hooks" in key
}


#: Types of values that nothing changes in place.
_PLAIN = {bool, int, float, complex, str, bytes, type(None)}


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Let the block change what it likes; every attribute and buffer is as before after it."""
    before = [(module, _state(module)) for module in model.modules()]
    try:
        yield
    finally:
        for module, state in before:
            _restore(module, state)


class _State(NamedTuple):
    """The attributes of a module, and what is in those that may be changed in place."""

    own: dict[str, Any]
    tensors: list[tuple[Tensor, int, Tensor]]  #: with their version and their values
    contents: list[tuple[Any, Any]]  #: of dictionaries, lists and sets


def _state(module: nn.Module) -> _State:
    own = {key: value for key, value in vars(module).items() if key not in _OWN}
    state = _State(own, [], [])
    for value in own.values():
        if type(value) not in _PLAIN:
            _look(value, state)
    return state


def _look(value: Any, state: _State) -> None:
    """Note what a value holds, and what that holds in turn."""
    if isinstance(value, Tensor):
        state.tensors.append((value, _version(value), value.detach().clone()))
    elif isinstance(value, (dict, list, set)):
        state.contents.append((value, value.copy()))
        for part in value.values() if isinstance(value, dict) else value:
            if type(part) not in _PLAIN:
                _look(part, state)


def _restore(module: nn.Module, state: _State) -> None:
    for tensor, version, values in state.tensors:
        if _version(tensor) != version:  # it was written into
            tensor.detach().copy_(values)
    for value, contents in state.contents:
        if isinstance(value, list):
            value[:] = contents
        else:
            value.clear()
            value.update(contents)
    own = vars(module)
    for key in [key for key in own if key not in _OWN and key not in state.own]:
        del own[key]
    own.update(state.own)


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else int(tensor._version)
