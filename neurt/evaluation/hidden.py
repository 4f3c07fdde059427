"""Hidden states of two models on the same tokens, and how close they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.evaluation.sums import Sums, total
from neurt.families import family_of
from neurt.spiking.precision import widest
from neurt.text.windows import Window

#: A part of a layer (its index; `residual`, `attention` or `feedforward`), or the final state.
Place = tuple[int, str]
FINAL: Place = (-1, "final")


@contextmanager
def hidden_states(
    places: Mapping[Place, nn.Module], part: list[Window]
) -> Iterator[dict[Place, Tensor]]:
    """Collect, during a forward pass inside the block, the hidden states that predict a score.

    Hooks, because `output_hidden_states` has neither what the blocks add nor the last residual.

    Args:
        places: The modules whose outputs they are; see `final_place` and `layer_places`.
        part: The windows that are read.
    """
    states: dict[Place, Tensor] = {}

    def collect(place: Place) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, out: Any) -> None:
            hidden = out[0] if isinstance(out, tuple) else out
            rows = [hidden[i, window.predicting] for i, window in enumerate(part)]
            states[place] = torch.cat(rows)

        return hook

    with ExitStack() as stack:
        for place, module in places.items():
            stack.callback(module.register_forward_hook(collect(place)).remove)
        yield states


def final_place(model: PreTrainedModel) -> dict[Place, nn.Module]:
    """Where the last hidden state of a model is; nowhere in one without a last norm."""
    norm = family_of(model.config.model_type).final_norm
    return {} if norm is None else {FINAL: model.get_submodule(norm)}


def layer_places(model: PreTrainedModel, depth: int | None = None) -> dict[Place, nn.Module]:
    """Where those of its transformer layers are; of one of them, or of all."""
    family, found = family_of(model.config.model_type), dict[Place, nn.Module]()
    for at, layer in enumerate(model.get_submodule(family.layers).children()):
        if depth in (None, at):
            found[at, "residual"] = layer
            found[at, "attention"] = layer.get_submodule(family.attention.path)
            found[at, "feedforward"] = layer.get_submodule(family.feedforward.path)
    return found


def add_similarity(sums: Sums, place: Place, expected: Tensor, actual: Tensor) -> None:
    """Add cosine and relative error of each row (rows, width).

    A row of zeros is like another row of zeros (cosine 1, error 0) and like nothing else.
    """
    expected, actual = widest(expected), widest(actual)
    norm = expected.norm(dim=-1)
    lengths = norm * actual.norm(dim=-1)
    difference = (actual - expected).norm(dim=-1)
    cosine = torch.where(
        lengths > 0, (expected * actual).sum(-1) / lengths, (difference == 0).to(difference.dtype)
    )
    sums["cosine", place] += total(cosine)
    sums["error", place] += total(torch.where(difference == 0, difference, difference / norm))
