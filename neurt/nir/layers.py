"""Nodes of NIR without a membrane, as modules: those of torch where it has them.

Shapes: (B, ...), a batch of one time step; NIR itself has no batch.
"""

from __future__ import annotations

from collections import deque
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from energy.network.neurons import neuron
from neurt.nir.conventions import Convention
from neurt.nir.graph import STATEFUL, NIRError, Node
from neurt.nir.kinds import neuron_of
from neurt.nir.neurons import Membrane
from neurt.nir.weights import convolution_of, linear_of, pair_of, tensor_of, whole_of, wrong

#: Steps that a Delay may hold.
MAX_DELAY_STEPS = 100_000


class Pass(nn.Identity):
    """The input or output of the graph, or of a graph inside."""


class Sum(nn.Module):
    """The sum of what a node is given from several others."""

    def forward(self, *parts: Tensor) -> Tensor:
        """Add."""
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class Scale(nn.Module):
    """y = s x, entry by entry."""

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        if scale.numel() and bool((scale == scale.flatten()[0]).all()):
            scale = scale.flatten()[0].clone()  # spikes stay spikes, of another weight
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x * self.scale


@neuron.register(dynamics="threshold", multi_step=False)
class Threshold(nn.Module):
    """1 where the input is above the threshold, else 0."""

    threshold: Tensor

    def __init__(self, threshold: Tensor, *, inclusive: bool) -> None:
        super().__init__()
        self.register_buffer("threshold", threshold)
        self.inclusive = inclusive

    def forward(self, x: Tensor) -> Tensor:
        """Compare."""
        above = x >= self.threshold if self.inclusive else x > self.threshold
        return above.to(x.dtype)


class SumPool2d(nn.Module):
    """Sums of windows. Sums of spikes are spikes, each as many as arrived in its window."""

    def __init__(
        self, window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
    ) -> None:
        super().__init__()
        self.window, self.stride, self.padding = window, stride, padding

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return f"{self.window}, stride={self.stride}, padding={self.padding}"

    def forward(self, x: Tensor) -> Tensor:
        """Add one place of all windows after the other."""
        (rows, columns), (down, right) = self.padding, self.stride
        if rows or columns:
            x = nn.functional.pad(x, (columns, columns, rows, rows))
        height, width = (
            (size - window) // stride + 1
            for size, window, stride in zip(x.shape[-2:], self.window, self.stride, strict=True)
        )
        if min(height, width) < 1:
            raise ValueError(f"a window of {self.window} does not fit into {tuple(x.shape[-2:])}")
        total: Tensor | None = None
        for i, j in product(*map(range, self.window)):
            part = x[..., i : i + down * height : down, j : j + right * width : right]
            part = part[..., :height, :width]
            total = part if total is None else total + part
        assert total is not None
        return total


class Delay(nn.Module):
    """y(t) = x(t - d), of d steps that may differ from entry to entry; zeros before.

    What it sends is known before it is given anything: `take` comes first in a time step, and the
    call, which puts the input into the line, last.
    """

    steps: Tensor

    def __init__(self, steps: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        super().__init__()
        self.register_buffer("steps", torch.as_tensor(steps))
        self.most, self.least = int(steps.max(initial=0)), int(steps.min(initial=0))
        if steps.size:
            self.least = int(steps.min())
        self._kinds = sorted({int(x) for x in steps.flat})
        self._line: deque[Tensor] = deque(maxlen=max(1, self.most))

    def reset(self) -> None:
        """Forget what is under way."""
        self._line.clear()

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return f"{self.least}..{self.most} steps"

    def forward(self, x: Tensor) -> Tensor:
        """Put the input of this step into the line, and take what arrives in it."""
        if self.most == 0:
            return x
        found = self.take(x)
        self._line.append(x)
        return found

    def take(self, like: Tensor) -> Tensor:
        """What arrives in this step; `like` has its shape, and is what was just sent."""
        if self.most == self.least:
            return self._sent(self.most, like)
        found = torch.zeros_like(like)
        for steps in self._kinds:
            found = torch.where(self.steps == steps, self._sent(steps, like), found)
        return found

    def _sent(self, steps: int, like: Tensor) -> Tensor:
        if steps == 0:
            return like
        known = len(self._line) >= steps
        return self._line[-steps] if known else torch.zeros_like(like)


def forget(layer: nn.Module) -> None:
    """Take the state from a layer that has one."""
    if isinstance(layer, (Membrane, Delay)):
        layer.reset()


def layer_of(node: Node, name: str, convention: Convention) -> nn.Module:
    """The module that does what a node says.

    Raises:
        NIRError: If its parameters do not fit each other or single precision, a time constant is
            shorter than a time step, or a delay is no whole number of steps.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        layer = _layer(node, name, convention)
    for tensors in (layer.parameters(), layer.buffers()):
        for tensor in tensors:
            if not bool(tensor.isfinite().all()):
                raise wrong(node, name, f"a parameter that is too large for {tensor.dtype}")
    return layer


def _layer(node: Node, name: str, convention: Convention) -> nn.Module:
    """The module, its numbers unchecked."""
    if node.kind in STATEFUL:
        try:
            return neuron_of(node, name, convention)
        except ValueError as bad:
            if isinstance(bad, NIRError):
                raise
            shapes = ", ".join(f"{x} {node.array(x).shape}" for x in node.fields)
            raise wrong(node, name, f"parameters that do not fit each other: {shapes}") from bad
    if node.kind in ("Input", "Output", "Pass"):
        return Pass()
    if node.kind == "Scale":
        return Scale(tensor_of(node, "scale"))
    if node.kind == "Threshold":
        return Threshold(tensor_of(node, "threshold"), inclusive=convention.inclusive)
    if node.kind == "Delay":
        return Delay(_steps(node, name, convention.dt_s))
    if node.kind == "Flatten":
        start, end = (whole_of(node, name, x, 1)[0] for x in ("start_dim", "end_dim"))
        return nn.Flatten(start + (start >= 0), end + (end >= 0))  # the batch comes first
    if node.kind in ("SumPool2d", "AvgPool2d"):
        return _pool(node, name)
    return convolution_of(node, name) if node.kind.startswith("Conv") else linear_of(node, name)


def _pool(node: Node, name: str) -> nn.Module:
    window, stride, padding = (
        pair_of(node, name, field) for field in ("kernel_size", "stride", "padding")
    )
    fits = all(0 <= 2 * p <= k for p, k in zip(padding, window, strict=True))
    if min(window + stride) < 1 or not fits:
        raise wrong(
            node,
            name,
            f"a window of {window} with stride {stride} and padding {padding}; both sizes are at "
            "least 1, padding at most half a window",
        )
    kind = nn.AvgPool2d if node.kind == "AvgPool2d" else SumPool2d
    return kind(window, stride, padding)


def _steps(node: Node, name: str, dt_s: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    exact = node.array("delay") / dt_s
    steps = np.rint(exact)
    odd = (steps < 0) | ~np.isclose(exact, steps, rtol=1e-6, atol=1e-6)
    if odd.any():
        first = float(node.array("delay")[odd].flat[0])
        raise wrong(
            node,
            name,
            f"a delay of {first:.6g} s, which is no whole number of time steps of {dt_s:.4g} s; "
            "give a --dt that divides all delays",
        )
    if steps.max(initial=0) > MAX_DELAY_STEPS:
        raise wrong(
            node,
            name,
            f"a delay of {steps.max():,.0f} time steps; at most "
            f"{MAX_DELAY_STEPS:,} are held, so give a longer --dt",
        )
    return steps.astype(np.int64)
