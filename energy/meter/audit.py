"""Watches every operation that runs outside of counted layers."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from energy.counts import Tally
from energy.meter.loose import is_attention, loose_tally

#: The modules of a model with their dotted names.
Named = Sequence[tuple[str, nn.Module]]


class Audit(TorchDispatchMode):
    """Counts nothing, forgets nothing: where did each operation outside counted layers run?"""

    #: Names of operations that multiply matrices, by pattern because torch keeps adding fused ones.
    CONTRACTS = re.compile(
        r"mm$|mm_|matmul|mv$|mv_|dot|conv|attention|linear|lstm|gru|rnn|einsum|bilinear|cdist"
    )
    #: Match the pattern, but contract nothing.
    HARMLESS = re.compile(r"^_?upsample")
    #: Move or describe data without arithmetic.
    MOVES = re.compile(
        r"view|reshape|transpose|^t$|permute|expand|slice|select|split|unbind|squeeze|detach|alias|"
        r"clone|copy|cat$|stack|empty|zeros|ones|full|arange|lift|contiguous|^_to|scalar_tensor|"
        r"scalar_dense|index$|repeat|triu|tril|masked_fill|where|^(eq|ne|lt|le|gt|ge)$|bitwise|"
        r"logical|^any|^all|is_|sym_|fill_|_unsafe|unfold|new_"
    )

    def __init__(self, modules: Named, *, keeps: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._keeps = keeps
        #: One guard per counted layer that is running; inside of them nothing is audited.
        self.pauses: list[object] = []
        #: Calls of products that nobody counted, by operation and module.
        self.loose: Counter[tuple[str, str]] = Counter()
        #: Counts of products that were kept (with `keeps`), by operation and module.
        self.kept: dict[tuple[str, str], list[Tally]] = {}
        self.other: Counter[Any] = Counter()
        self._known: dict[Any, str | None] = {}
        self._modules = modules

    def __torch_dispatch__(  # noqa: D105 - torch calls it for each operation
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.other[func] += 1
        if func not in self._known:
            name = func._overloadpacket.__name__
            contracts = self.CONTRACTS.search(name) and not self.HARMLESS.search(name)
            self._known[func] = name if contracts else None
        out = func(*args, **(kwargs or {}))
        if (product := self._known[func]) is not None:
            where = product, self._running_module()
            if self._keeps and (tally := loose_tally(product, args, out)) is not None:
                self.kept.setdefault(where, []).append(tally)
            else:
                self.loose[where] += 1
        return out

    def elementwise(self) -> dict[str, int]:
        """Arithmetic that ran outside counted layers, by the name of the operation."""
        found: Counter[str] = Counter()
        for func, calls in self.other.items():
            name = func._overloadpacket.__name__
            softmax = self._keeps and is_attention(name)
            if softmax or (self._known[func] is None and not self.MOVES.search(name)):
                found[name] += calls
        return dict(found)

    def _running_module(self) -> str:
        """Name of the innermost module of the model on the call stack."""
        names = {id(module): name for name, module in self._modules}
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            name = names.get(id(frame.f_locals.get("self")))
            if name is not None:
                return name or "the model itself"
            frame = frame.f_back
        return "code outside the model"
