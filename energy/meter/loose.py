"""Matrix products that run outside every counted layer, counted from the shapes of their operands.

Nobody says what such a product is: it has no part in the architecture, its operands may be weights
or activations, and of a fused attention only the two products are known. So a pass counts them only
if it is asked to, and each has a row of its own that says which operation ran in which module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from energy.counts import Tally
from hwmodels import Op

#: Where the left operand stands in the arguments; the right one follows.
_LEFT = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "_grouped_mm": 0, "addmm": 1, "baddbmm": 1}
_ATTENTION = "_scaled_dot_product_"


def is_attention(operation: str) -> bool:
    """Whether an operation does more than multiply: a softmax stands between its two products."""
    return operation.startswith(_ATTENTION)


def loose_tally(operation: str, args: Sequence[Any], out: Any) -> Tally | None:
    """Count one product; all query-key pairs of an attention are counted.

    Args:
        operation: Name of torch's operation.
        args: Its positional arguments.
        out: What it returned.

    Returns:
        Its MACs, and its operands and results as activations; None for an operation that is not
        known here.
    """
    if is_attention(operation):
        operands, result = args[:3], out[0]
        query, key, value = operands
        pairs = query.shape[:-1].numel() * key.shape[-2]
        macs = pairs * (query.shape[-1] + value.shape[-1])
    elif operation in _LEFT and isinstance(out, Tensor):
        operands, result = args[_LEFT[operation] :][:2], out
        macs = out.numel() * operands[0].shape[-1]
    else:
        return None
    return Tally(
        {
            Op.MAC: macs,
            Op.ACTIVATION_READ: sum(x.numel() * x.element_size() for x in operands),
            Op.ACTIVATION_WRITE: result.numel() * result.element_size(),
        },
        dense_macs=macs,
    )
