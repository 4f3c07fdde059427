"""The second witness: fvcore counts the same pass, row by row."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from energy.counts import Counts
from energy.meter.evaluating import evaluating
from energy.meter.rules import tally_call
from energy.meter.tally_elementwise import rotary_angles


@dataclass(frozen=True)
class Disagreement:
    """One layer that two counters see differently."""

    layer: str  #: dotted name
    ours: float  #: dense MACs by our hooks
    theirs: int  #: dense MACs by fvcore


class _Logits(nn.Module):
    """fvcore wants a model that takes and returns tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, use_cache=False).logits
        return logits


@contextmanager
def _unfolded(model: nn.Module) -> Iterator[None]:
    """Let layers that sum the events of all time steps first multiply each step by itself."""
    folded: list[Any] = [x for x in model.modules() if getattr(x, "unfolded", None) is False]
    try:
        for layer in folded:
            layer.unfolded = True
        yield
    finally:
        for layer in folded:
            layer.unfolded = False


#: Work that our dense MACs leave out and fvcore would count.
_NOT_MATRIX_PRODUCTS = ("aten::layer_norm", "aten::native_layer_norm", "aten::batch_norm")


def check_against_fvcore(model: nn.Module, input_ids: Tensor, counts: Counts) -> list[Disagreement]:
    """The layers on which the `dense_macs` of our hooks and of fvcore disagree.

    Args:
        model: The model that was counted. A Hugging Face softmax attention must be exposed with
            `fused=False`, since fvcore cannot see into fused kernels.
        input_ids: The input of the counted pass, (batch, tokens).
        counts: What the hooks counted, full attention.

    Raises:
        RuntimeError: If fvcore met an attention kernel that it cannot see into.
    """
    analysis = FlopCountAnalysis(_Logits(model), (input_ids,))
    for op in _NOT_MATRIX_PRODUCTS:
        # Not None: fvcore keeps its default handle then.
        analysis.set_op_handle(op, lambda _inputs, _outputs: Counter())
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    with evaluating(model), _unfolded(model), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every Python number it freezes
        by_module: Any = analysis.by_module()
        hidden = [op for op in analysis.unsupported_ops() if "attention" in op]
    if hidden:
        raise RuntimeError(
            f"fvcore cannot see into {', '.join(hidden)}; expose the attention with fused=False"
        )
    # Until 5.18, transformers wrote position x frequency as a matrix product of depth 1.
    angles = sum(
        by_module.pop(f"model.{name}", 0)
        for name, module in model.named_modules()
        if tally_call.dispatch(type(module)) is rotary_angles
    )
    rows = [
        Disagreement(x.name, x.tally.dense_macs, int(by_module.get(f"model.{x.name}", 0)))
        for x in counts.layers
    ]
    rows.append(Disagreement("(total)", counts.dense_macs, int(analysis.total() - angles)))
    return [row for row in rows if row.ours != row.theirs]
