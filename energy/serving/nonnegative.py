"""Least squares with coefficients that are not negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-10


def nonnegative(gram: Floats, moment: Floats) -> Floats:
    """The x >= 0 with the least |A x - b|, from A^T A and A^T b.

    An active set grows by the coefficient that would help most and shrinks where one would become
    negative. Columns are scaled to length one before, so that units do not matter.

    Args:
        gram: A^T A, k x k.
        moment: A^T b, k.

    Source: Lawson and Hanson, "Solving Least Squares Problems", 1974, algorithm NNLS (23.10), on
    normal equations as Bro and de Jong, J. Chemometrics 11, 1997.
    """
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale[scale == 0] = 1.0
    g, c = gram / np.outer(scale, scale), moment / scale
    size = len(c)
    free: Floats = np.linalg.lstsq(g, c, rcond=None)[0]
    if (free > 0).all():  # the best of all is allowed
        return free / scale
    x, active = np.zeros(size), np.zeros(size, dtype=bool)
    tolerance = _ROUNDING * max(1.0, float(np.abs(c).max(initial=0.0)))
    for _ in range(3 * size):
        gain = np.where(active, -np.inf, c - g @ x)
        best = int(np.argmax(gain))
        if gain[best] <= tolerance:
            break
        active[best] = True
        x = _feasible(g, c, x, active)
    return x / scale


def _feasible(g: Floats, c: Floats, x: Floats, active: NDArray[np.bool_]) -> Floats:
    """The best of the active coefficients; those that would become negative leave the set."""
    while True:
        wanted = np.zeros_like(x)
        wanted[active] = np.linalg.lstsq(g[np.ix_(active, active)], c[active], rcond=None)[0]
        below = active & (wanted <= 0)
        if not below.any():
            return wanted
        step = np.min(x[below] / (x[below] - wanted[below] + np.finfo(float).tiny))
        x = x + step * (wanted - x)
        active &= x > _ROUNDING
        x[~active] = 0.0
        if not active.any():
            return x
