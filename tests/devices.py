"""The devices that tests of devices run on: the CPU, and whatever accelerator there is."""

from __future__ import annotations

import pytest

from neurt.loading.placement import DeviceError, find_device


def _on(word: str) -> object:
    try:
        find_device(word)
    except DeviceError as error:
        return pytest.param(word, marks=pytest.mark.skip(reason=str(error)))
    return pytest.param(word)


#: Words of `--device`; those that are not here are skipped, with what is said of them.
DEVICES = [_on(word) for word in ("cpu", "cuda", "mps", "xpu")]
DTYPES = ("float32", "bfloat16", "float16")
