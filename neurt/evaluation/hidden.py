"""Hidden states of two models on the same tokens, and how close they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.evaluation.sums import Sums, total
from neurt.families import family_of
from neurt.text.windows import Window

#: A part of a layer (its index; `residual`, `attention` or `feedforward`), or the final state.
Place = tuple[int, str]
FINAL: Place = (-1, "final")


@contextmanager
def hidden_states(model: PreTrainedModel, part: list[Window]) -> Iterator[dict[Place, Tensor]]:
    """Collect, during a forward pass inside the block, the hidden states that predict a score.

    Hooks, because `outputhidden_states` has neither what the blocks add nor the last residual.
    """
    states: dict[Place, Tensor] = {}

    def collect(place: Place) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, out: Any) -> None:
            hidden = out[0] if isinstance(out, tuple) else out
            rows = [hidden[i, window.predicting] for i, window in enumerate(part)]
            states[place] = torch.cat(rows)

        return hook

    family = family_of(model.config.model_type)
    places: dict[Place, nn.Module] = {}
    if family.final_norm is not None:
        places[FINAL] = model.get_submodule(family.final_norm)
    for depth, layer in enumerate(model.get_submodule(family.layers).children()):
        places[depth, "residual"] = layer
        places[depth, "attention"] = layer.get_submodule(family.attention.path)
        places[depth, "feedforward"] = layer.get_submodule(family.feedforward.path)
    with ExitStack() as stack:
        for place, module in places.items():
            stack.callback(module.register_forward_hook(collect(place)).remove)
        yield states


def add_similarity(sums: Sums, place: Place, expected: Tensor, actual: Tensor) -> None:
    """Add cosine and relative error of each row (rows, width).

    A row of zeros is like another row of zeros (cosine 1, error 0) and like nothing else.
    """
    expected, actual = expected.double(), actual.double()
    norm = expected.norm(dim=-1)
    lengths = norm * actual.norm(dim=-1)
    difference = (actual - expected).norm(dim=-1)
    cosine = torch.where(
        lengths > 0, (expected * actual).sum(-1) / lengths, (difference == 0).double()
    )
    sums["cosine", place] += total(cosine)
    sums["error", place] += total(torch.where(difference == 0, difference, difference / norm))
