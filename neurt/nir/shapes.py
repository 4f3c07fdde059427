"""Whether what arrives at a node fits its parameters. Shapes are those of one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from torch import nn

from hwmodels.plain import quoted
from neurt.nir.graph import STATEFUL, NIRError, Node, named

Shape = tuple[int, ...]

#: Values of one sample in one time step.
MAX_VALUES = 1_000_000_000


def sample_shape(nodes: Mapping[str, Node], name: str, behind: Sequence[str]) -> Shape:
    """The shape of a sample at an Input node.

    Exporters may leave a batch of one in front; it is dropped where the nodes behind it say that
    they take a dimension less.

    Args:
        nodes: All nodes.
        name: The Input node.
        behind: The nodes that it leads to.

    Raises:
        NIRError: If it says no shape, or one that makes no sense.
    """
    declared = nodes[name].fields.get("shape")
    said = [] if declared is None else [float(x) for x in declared.reshape(-1)]
    shape = tuple(int(x) for x in said)
    if any(x < 1 or x != int(x) for x in said) or prod(shape) > MAX_VALUES:
        raise NIRError(
            f"the Input node '{named(name)}' has the shape {quoted(said)}; sizes are "
            f"whole numbers from 1, {MAX_VALUES:,} values at most"
        )
    ranks = {dims for x in behind if (dims := _dimensions(nodes[x])) is not None}
    if len(shape) > 1 and shape[0] == 1 and ranks and max(ranks) == len(shape) - 1:
        return shape[1:]
    return shape


def _dimensions(node: Node) -> int | None:
    """Dimensions of what a node takes, where it says so."""
    known = {"Affine": 1, "Linear": 1, "Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}
    if node.kind in STATEFUL:
        return max(node.array(field).ndim for field in node.fields) or None
    return known.get(node.kind)


def without_batch(shape: Shape) -> Shape:
    """The shape without dimensions of one in front."""
    return without_batch(shape[1:]) if shape[:1] == (1,) else shape


def check_fits(node: Node, name: str, layer: nn.Module, shape: Shape) -> None:
    """Make sure that a node can take what it is given.

    Raises:
        NIRError: If it cannot; the sentence names the node and both shapes.
    """
    takes: str | None = None
    if isinstance(layer, nn.Linear):
        if shape[-1:] != (layer.in_features,):
            takes = f"{layer.in_features} values"
    elif isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        dims = len(layer.kernel_size)
        declared = node.fields.get("input_shape")
        said = None if declared is None else tuple(int(x) for x in declared.reshape(-1))
        if len(shape) != dims + 1 or shape[0] != layer.in_channels:
            takes = f"{layer.in_channels} channels of {dims} dimensions"
        elif said is not None and len(said) == dims and said != shape[1:]:
            takes = f"{layer.in_channels} channels of {said}"
    elif node.kind in ("SumPool2d", "AvgPool2d"):
        takes = None if len(shape) == 3 else "channels of 2 dimensions"
    elif node.kind == "Flatten":
        declared = node.fields["input_type"]
        said = shape if declared is None else tuple(int(x) for x in declared.reshape(-1))
        takes = None if without_batch(said) == without_batch(shape) else f"the shape {said}"
    elif node.kind in STATEFUL | {"Scale", "Threshold", "Delay"}:
        own = [node.array(field).shape for field in node.fields]
        if not all(_broadcasts(without_batch(x), shape) for x in own):
            takes = f"the shape {max(own, key=len)}"
    if takes is not None:
        raise NIRError(
            f"node '{named(name)}' ({node.kind}) takes {takes}, and is given the shape {shape}"
        )


def _broadcasts(own: Shape, given: Shape) -> bool:
    """Whether parameters are one number, or have each dimension of what they are for."""
    if prod(own) == 1:
        return True
    given = without_batch(given) if len(given) > len(own) else given
    return len(own) == len(given) and all(a in (1, b) for a, b in zip(own, given, strict=True))
