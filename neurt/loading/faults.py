"""What a device cannot do, in one sentence: an operation without a precision, or too little memory.

torch says both as errors of its own, in the middle of a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

from neurt.loading.placement import DeviceError

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

#: What torch calls the precisions that not every operation has.
_NAMES = {"Half": "float16", "BFloat16": "bfloat16"}
_MISSING = re.compile(r"\"?([\w:.]+)\"? not implemented for '(Half|BFloat16)'")


def explains_device(run: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Let a function that runs models raise DeviceError where its device cannot do what it asks."""

    @wraps(run)
    def explained(*args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        try:
            return run(*args, **kwargs)
        except RuntimeError as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise DeviceError(sentence) from error

    return explained


def sentence_of(error: RuntimeError) -> str | None:
    """What a user must know of an error of torch; None for one that is not about the device."""
    if isinstance(error, torch.OutOfMemoryError):
        said = str(error).splitlines()[0].split(". ")[0]
        return (
            f"the memory of the device is full ({said}); give --dtype bfloat16, a smaller --batch "
            "or --seq-len or --window, or another --device"
        )
    if found := _MISSING.search(str(error)):
        operation, name = found[1], _NAMES[found[2]]
        others = "float32" if name == "bfloat16" else "bfloat16 or float32"
        return (
            f"the operation '{operation}' of this model has no {name} on this device; give --dtype "
            f"{others}"
        )
    return None
