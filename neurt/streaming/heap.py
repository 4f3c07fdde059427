"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    """What the C library has for it: glibc; others give back by themselves, or cannot."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


#: Bytes of weights below which looking through all objects takes longer than a layer does.
_WORTH = 2**20


def give_back(held: int) -> None:
    """Return freed memory, of which glibc keeps what lies below something that is still used.

    Between two layers that is up to a layer's worth of activations of each size.

    Args:
        held: Bytes of the weights that are gone; of a few nothing is worth the search.
    """
    if held < _WORTH:
        return
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)
