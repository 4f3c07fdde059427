"""Other witnesses: fvcore counts the same pass row by row, torch's own counter all of it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from transformers import PreTrainedModel

from energy.counts import Counts
from energy.meter import tally_scan
from energy.meter.evaluating import evaluating
from energy.meter.rules import tally_call
from energy.meter.tally_elementwise import rotary_angles
from energy.meter.tally_experts import repeated_experts
from energy.meter.tally_recurrent import mamba1, mlstm


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


#: Rules of modules of which the products that run are others than those that are counted.
_OTHERWISE = (repeated_experts, mamba1, mlstm)


class Seen(NamedTuple):
    """Dense MACs of one pass by two counters, but for what is no work of the same."""

    theirs: int  #: by torch's FlopCounterMode: half of its operations
    ours: float  #: by our hooks
    #: dotted names of modules whose own products are in neither: transformers runs them otherwise
    #: than they are counted (experts also on tokens that chose others, a recurrence in chunks)
    left_out: tuple[str, ...]


def macs_by_torch(model: PreTrainedModel, call: Callable[[], object], counts: Counts) -> Seen:
    """Compare a pass with torch's own counter.

    The model runs as it came, attention and experts in plain matrix products, which is all that
    the counter knows for certain.

    Args:
        model: The model that was counted, with nothing exposed.
        call: Runs the counted pass.
        counts: What the hooks counted, full attention.
    """
    counter = torch_counter()
    with _plain(model), evaluating(model), torch.no_grad(), counter:
        call()
    found, root = counter.get_flop_counts(), type(model).__name__
    # One whose weights a module around it takes itself is no part of the trace.
    linear = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and f"{root}.{name}" in found
    }
    left_out = tuple(name for name, module in model.named_modules() if _runs_otherwise(module))
    beneath = tuple(f"{name}." for name in left_out)
    theirs = counter.get_total_flops() - sum(
        sum(found[f"{root}.{name}"].values()) for name in left_out
    )
    for name in linear:
        if name.startswith(beneath):
            theirs += sum(found[f"{root}.{name}"].values())
    rows = (row for row in counts.layers if row.name in linear or not row.name.startswith(beneath))
    return Seen(theirs // 2, sum(row.tally.dense_macs for row in rows), left_out)


def _runs_otherwise(module: nn.Module) -> bool:
    """Whether transformers runs a module otherwise than its rule counts it."""
    rule = tally_call.dispatch(type(module))
    return rule in _OTHERWISE or (
        rule.__module__ == tally_scan.__name__ and rule is not tally_scan.gated
    )


def torch_counter() -> FlopCounterMode:
    """Torch's counter of operations, which does not know its fused attention of the CPU yet."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={fused: _fused_flops})


def _fused_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Operations of a fused attention, from the shapes of its operands, by torch's own formula."""
    return int(sdpa_flop_count(query, key, value))


@contextmanager
def _plain(model: PreTrainedModel) -> Iterator[None]:
    """Let a model run attention and experts in plain matrix products."""
    config = model.config
    own, experts = config._attn_implementation, getattr(config, "_experts_implementation", None)
    try:
        if own != "eager":
            model.set_attn_implementation("eager")
        if experts not in (None, "eager"):
            model.set_experts_implementation("eager")
        yield
    finally:
        if own != "eager":
            model.set_attn_implementation(own)
        if experts not in (None, "eager"):
            model.set_experts_implementation(experts)
