"""Watches every operation that runs outside of counted layers.

A matrix product that runs there is refused, or, if a pass asks for it, counted from its operands
(`energy.meter.loose`), in a row of its own that says which operation ran in which module.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from energy.counts import Tally
from energy.formulas import Conventions
from energy.formulas.nonlinear import residual
from energy.meter.loose import Loose
from energy.meter.rules import is_counted, is_known, ruled
from hwmodels.errors import UserError

#: The modules of a model with their dotted names.
Named = Sequence[tuple[str, nn.Module]]


#: What the model is called where a module would be.
_TOP = "the model itself"


class UncountedOperation(UserError, RuntimeError):  # noqa: N818 - it is the operation that is reported
    """A matrix product ran where no counting rule could see it."""


@dataclass(slots=True)
class _Seen:
    """An operation of torch: its name, whether it multiplies matrices, how often it ran."""

    name: str
    contracts: bool
    adds: bool = False  #: whether it may be a residual addition
    calls: int = 0


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
        r"logical|^any|^all|is_|sym_|fill_|_unsafe|unfold|new_|as_strided|_record_function|"
        r"all_?gather"
    )

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Models are counted before they are compiled; a guard around each operation costs more
        # than the audit itself.
        return False

    def __init__(self, modules: Named, *, keeps: Conventions | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        named = {name or _TOP: module for name, module in modules}
        #: Counts of products outside of counted layers, if they are to be kept.
        self.kept = None if keeps is None else Loose(keeps, named)
        #: One guard per counted layer that is running; inside of them nothing is audited. None
        #: where tensors need their dispatch, so that operations come here and pass.
        self.pauses: list[object] = []
        #: Calls of products that nobody counted, by operation and module.
        self.loose: Counter[tuple[str, str]] = Counter()
        #: Counts of the residual additions of each module, in the order in which they ran.
        self.residuals: dict[str, list[Tally]] = {}
        self._seen: dict[Any, _Seen] = {}
        self._names = {id(module): name for name, module in modules}

    def __torch_dispatch__(  # noqa: D105 - torch calls it for each operation
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self.pauses:
            return func(*args, **(kwargs or {}))
        seen = self._seen.get(func)  # once, since torch hashes an operation in Python
        if seen is None:
            name = func._overloadpacket.__name__
            contracts = bool(self.CONTRACTS.search(name)) and not self.HARMLESS.search(name)
            seen = self._seen[func] = _Seen(name, contracts, name in ("add", "add_"))
        seen.calls += 1
        out = func(*args, **(kwargs or {}))
        if seen.contracts:
            where = seen.name, self._running_module()
            if self.kept is None or not self.kept.keep(*where, args, kwargs or {}, out):
                self.loose[where] += 1
        elif self.kept is not None and seen.name.endswith("_softmax"):
            if self.kept.softmax(seen.name, self._running_module(), out):
                seen.calls -= 1  # it is counted
        elif seen.adds and _is_residual(args, out):
            seen.calls -= 1  # it is counted
            self.residuals.setdefault(self._running_module(), []).append(
                residual(out.numel(), args[1].numel())
            )
        return out

    def elementwise(self) -> dict[str, int]:
        """Arithmetic that ran outside counted layers, by the name of the operation."""
        outside: Counter[str] = Counter()
        for seen in self._seen.values():
            if seen.calls and not (seen.contracts or self.MOVES.search(seen.name)):
                outside[seen.name] += seen.calls
        return dict(outside)

    def refuse_escaped(self) -> None:
        """Raise UncountedOperation if a product ran that nobody counted; name the first three."""
        if self.loose:
            first = ", ".join(f"{op} in '{where}'" for op, where in list(self.loose)[:3])
            raise UncountedOperation(
                f"{sum(self.loose.values())} matrix products ran outside any counted layer "
                f"({first}); `neurt-energy count` counts them from their operands, as loose=True "
                "does. Else call layers as modules, expose attention with "
                "energy.exposed_attention, or register a rule with energy.tally_call.register"
            )

    def _running_module(self) -> str:
        """Name of the innermost module of the model on the call stack."""
        names = self._names
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            name = names.get(id(frame.f_locals.get("self")))
            if name is not None:
                return name or _TOP
            frame = frame.f_back
        return "code outside the model"


def refuse_opaque(modules: Named, *, loose: bool = False) -> None:
    """Refuse modules that are known to hide matrix products from hooks.

    With `loose`, a layer with a forward of its own is no such module, nor is one whose fused kernel
    may never run: their products are audited.

    Raises:
        UncountedOperation: If the model holds one.
    """
    # Once per type, with the first layer of that type: a model has many layers of few types.
    first: dict[type[nn.Module], str] = {}
    for name, module in modules:
        first.setdefault(type(module), name)
    for kind, name in first.items():
        title = name or kind.__name__
        if not loose and issubclass(kind, (nn.MultiheadAttention, nn.TransformerEncoderLayer)):
            raise UncountedOperation(
                f"layer '{title}' is nn.{kind.__name__}, whose fused kernel hides its matrix "
                "products; count it with loose=True after "
                "torch.backends.mha.set_fastpath_enabled(False), or use a Hugging Face attention "
                "exposed with energy.exposed_attention"
            )
        if not loose and is_counted(kind) and not is_known(kind):
            raise UncountedOperation(
                f"layer '{title}' ({kind.__name__}) has a forward of its own, which the rule for "
                f"{ruled(kind).__name__} does not know; register a rule for {kind.__name__} with "
                "energy.tally_call.register"
            )
        if kind.__name__ == "OptimizedModule":
            raise UncountedOperation(
                f"layer '{name or 'model'}' is compiled by torch.compile, which bypasses hooks; "
                "count the model before compiling it"
            )


def _is_residual(args: Sequence[Any], out: Any) -> bool:
    """Whether an addition is of two tensors of vectors: (tokens, channels), batch before or not."""
    left, right = args[:2]
    return (
        isinstance(left, Tensor)
        and isinstance(right, Tensor)
        and isinstance(out, Tensor)
        and left.dim() == right.dim()
        and left.dim() in (2, 3)
        and left.shape == out.shape
        and left.is_floating_point()
    )
