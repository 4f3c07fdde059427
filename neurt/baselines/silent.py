"""Analog layers whose smallest inputs are zero: TEAL (arXiv 2408.14690), WINA (arXiv 2505.19427).

Both silence the same share of the inputs of every linear layer of the blocks: below a threshold of
the layer, the quantile of |x_c| (TEAL) or of |x_c| ||W_c|| (WINA; W_c are the weights that channel
c meets) on calibration text. The head stays as it is. Neither trains anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.baselines.asked import Asked, BaselineError, Kind
from neurt.baselines.layers import inputs_changed, linears, out_by_in

#: Changes of the inputs of layers, by name.
Zones = dict[str, Callable[[Tensor], Tensor]]


def zones_of(
    model: PreTrainedModel, asked: Iterable[Asked], windows: Sequence[Tensor]
) -> dict[Asked, Zones]:
    """What each of these baselines does to the inputs of the layers of a model.

    Args:
        model: The analog model.
        asked: Of the kinds `teal` and `wina`.
        windows: Token ids (batch, tokens) of calibration text, all of one length: the quantile of a
            layer is over all their tokens and channels.

    Raises:
        BaselineError: If there is no calibration text.
    """
    asked, layers = tuple(asked), linears(model, head=False)
    if not windows:
        raise BaselineError(f"thresholds of '{asked[0]}' are calibrated on text: give a window")
    zones: dict[Asked, Zones] = {each: {} for each in asked}
    measuring = {name: partial(_measure, zones, name, layer) for name, layer in layers.items()}
    with torch.no_grad(), inputs_changed(layers, measuring):
        model.base_model(input_ids=torch.cat(tuple(windows)), use_cache=False)
    return zones


def _measure(zones: dict[Asked, Zones], name: str, layer: nn.Module, x: Tensor) -> Tensor:
    """Find the threshold of a layer for each baseline; its input passes on unchanged."""
    for asked, found in zones.items():
        weight = out_by_in(layer).norm(dim=0) if asked.kind is Kind.WINA else None
        assert asked.number is not None
        found[name] = partial(_silenced, weight, threshold(_sizes(weight, x), asked.number))
    return x


def threshold(sizes: Tensor, share: float) -> float:
    """The largest of the smallest `share` of these sizes, rounded down; below zero for none."""
    rank = int(share * sizes.numel())
    return float(sizes.flatten().kthvalue(rank).values) if rank else -1.0


def _sizes(norms: Tensor | None, x: Tensor) -> Tensor:
    return x.abs() if norms is None else x.abs() * norms


def _silenced(norms: Tensor | None, most: float, x: Tensor) -> Tensor:
    return x.masked_fill(_sizes(norms, x) <= most, 0)
