"""What values that are zero leave to do: counted in a spiking model that holds analog values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from energy import Counts, Levels, MatMul, Tally, tally_call
from energy.counts import LayerCount
from energy.formulas import Conventions
from hwmodels import Op
from neurt.spiking.synapse import Synapse


@contextmanager
def needed(model: nn.Module, conventions: Conventions) -> Iterator[Mapping[str, list[Tally]]]:
    """Tallies of the calls of each product inside the block, a value that is not zero as an event.

    The rules are those of events, so that zeros of an analog value and silence are counted alike.
    """
    found: dict[str, list[Tally]] = defaultdict(list)
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, (Synapse, MatMul)) and module.levels is not Levels.ANALOG:
                hook = partial(_tally, found[name].append, name, conventions)
                stack.callback(module.register_forward_hook(hook).remove)
        yield found


def _tally(
    add: Callable[[Tally], None],
    name: str,
    conventions: Conventions,
    layer: nn.Module,
    args: tuple[Any, ...],
    out: Tensor,
) -> None:
    left: Tensor = args[0]
    # What arrives as the second stream of a product is analog here: only its operands count.
    operands = ((left != 0).to(left.dtype), args[1])
    add(tally_call(layer, name, operands, out, conventions)[""])


def without_zeros(asa: Counts, tallies: Mapping[str, list[Tally]]) -> Counts:
    """Counts of the analog model that say what zeros spare: MACs, and rows of stored operands.

    Args:
        asa: As counted, of the same pass.
        tallies: By name of the layer, as `needed` has them.
    """

    def row(layer: LayerCount) -> LayerCount:
        if layer.name not in tallies:
            return layer
        kept = Tally.total(tallies[layer.name])
        zeros = layer.tally.ops.get(Op.MAC, 0) - kept.accumulates
        tally = layer.tally._replace(zero_macs=zeros).seen(*kept.looked)
        return replace(layer, tally=tally)

    return replace(asa, layers=tuple(map(row, asa.layers)))
