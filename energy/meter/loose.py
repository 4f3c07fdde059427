"""Products that run outside of counted layers, counted from their operands.

Nobody declares what such a product is. Two things can be told nevertheless: an operand that is (a
part of) a parameter of the model is a weight, and two products of one module with a softmax between
them, of the shape of the first one's result, are an attention. All else is a product of
activations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from energy.counts import Tally
from energy.formulas import Attention, Conventions, nonlinear
from energy.formulas.attention import Product, analog_attention
from energy.layers.declared import Reach
from energy.meter.masks import seen_of
from hwmodels import Op

#: Where the left operand stands in the arguments; the right one follows.
_LEFT = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "_grouped_mm": 0, "addmm": 1, "baddbmm": 1}
_ATTENTION = "_scaled_dot_product_"
#: What the rows of an attention are called.
PARTS = ("scores", "softmax", "mix")
_SOFTMAX = ("_softmax", "_safe_softmax")


def is_attention(operation: str) -> bool:
    """Whether an operation does more than multiply: a softmax stands between its two products."""
    return operation.startswith(_ATTENTION)


@dataclass(slots=True)
class _Scores:
    """A product that may be that of the scores of an attention, until a softmax follows it."""

    key: tuple[str, str]
    entries: int
    queries: int
    keys: int
    width: int
    product: Product | None = None  #: its shape, as soon as a softmax followed


@dataclass
class Loose:
    """The products outside of counted layers that one pass ran."""

    conventions: Conventions
    modules: dict[str, nn.Module]
    #: Counts of each product, by what it is or the operation, and by module or parameter.
    kept: dict[tuple[str, str], list[Tally]] = field(default_factory=dict)
    _open: dict[str, _Scores] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note whose parameters are whose."""
        for where, module in self.modules.items():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    full = f"{where}.{name}" if where else name
                    self._names.setdefault(_storage(parameter), full.removesuffix(".weight"))

    def keep(
        self, operation: str, where: str, args: Sequence[Any], words: Mapping[str, Any], out: Any
    ) -> bool:
        """Count a product; False for an operation that is not known here.

        Args:
            operation: Its name.
            where: The module it ran in.
            args: What it was given.
            words: What it was given by keyword.
            out: What it returned.
        """
        if is_attention(operation):
            self._fused(where, args, words.get("attn_mask"))
            return True
        if operation == "convolution" and not args[6]:  # a transposed one multiplies otherwise
            self._weighted(operation, where, args[0], args[1], args[2], out, args[1][0].numel())
            return True
        if operation not in _LEFT or not isinstance(out, Tensor):
            return False
        first = _LEFT[operation]
        left, right = args[first : first + 2]
        bias = args[0] if first else None
        inner = left.shape[-1]
        for weight, other in ((right, left), (left, right)):
            if _storage(weight) in self._names:
                self._weighted(operation, where, other, weight, bias, out, inner)
                return True
        scores = self._open.get(where)
        if scores is not None and scores.product is not None and _mixes(scores, left):
            self._mix(where, scores.product._replace(width=out.shape[-1]))
            return True
        tally = _product(left, right, out)
        self.kept.setdefault((operation, where), []).append(tally)
        if out.dim() >= 2:
            queries, keys = out.shape[-2:]
            self._open[where] = _Scores(
                (operation, where), out.numel(), int(queries), int(keys), int(inner)
            )
        return True

    def softmax(self, operation: str, where: str, out: Any) -> bool:
        """Whether an operation is the softmax of an attention, which is counted then."""
        scores = self._open.get(where)
        if operation not in _SOFTMAX or scores is None or not isinstance(out, Tensor):
            return False
        if scores.product is not None or not _mixes(scores, out):
            return False
        self.kept[scores.key].pop()
        if not self.kept[scores.key]:
            del self.kept[scores.key]
        heads = scores.entries // (scores.queries * scores.keys)
        product = self._shape(where, heads, scores.queries, scores.keys, scores.width)
        if product.attention is Attention.CAUSAL and out.device.type != "meta":
            # A weight that the mask hides is exactly 0, in each head of each sequence.
            seen = out.reshape(1, -1, scores.queries, scores.keys).ne(0).any(1, keepdim=True)
            product = seen_of(product, Reach(), seen)
        scores.product = product
        self._add("scores", where, analog_attention("scores", product))
        self._add("softmax", where, nonlinear.softmax_of(product.pairs, product.rows))
        return True

    def _mix(self, where: str, product: Product) -> None:
        del self._open[where]
        self._add("mix", where, analog_attention("mix", product))

    def _fused(self, where: str, args: Sequence[Any], mask: Any) -> None:
        """Count an attention of one kernel, from its operands and its mask."""
        query, key, value = args[:3]
        heads, (queries, width) = query.shape[:-2].numel(), query.shape[-2:]
        product = self._shape(where, heads, queries, key.shape[-2], width)
        product = product._replace(kv_heads=min(product.kv_heads, key.shape[:-2].numel()))
        mask = next((x for x in (mask, *args[3:]) if isinstance(x, Tensor)), None)
        if mask is None and not any(x is True for x in args[3:]):  # nor told to be causal
            product = product._replace(attention=Attention.FULL)
        product = seen_of(product, Reach(), mask)
        of_values = product._replace(width=value.shape[-1])
        self._add("scores", where, analog_attention("scores", product))
        self._add("softmax", where, nonlinear.softmax_of(product.pairs, product.rows))
        self._add("mix", where, analog_attention("mix", of_values))

    def _shape(self, where: str, heads: int, queries: int, keys: int, width: int) -> Product:
        """The shape of an attention; its module may say that heads share cached ones."""
        module = self.modules.get(where)
        own, cached = (getattr(module, name, None) for name in ("num_heads", "num_kv_heads"))
        shared = own // cached if isinstance(own, int) and isinstance(cached, int) and cached else 1
        kv_heads = heads // shared if heads % shared == 0 else heads
        return Product(heads, queries, keys, width, kv_heads, self.conventions.attention)

    def _weighted(
        self, operation: str, where: str, x: Any, weight: Any, bias: Any, out: Any, inner: int
    ) -> None:
        """A product with a parameter: a layer that its module multiplies with by itself."""
        macs = out.numel() * inner
        biased = isinstance(bias, Tensor) and _storage(bias) in self._names
        ops = {
            Op.MAC: macs,
            Op.WEIGHT_READ: weight.numel() if macs else 0,
            Op.VECTOR_READ: bias.numel() if biased and macs else 0,
            Op.ACTIVATION_READ: x.numel(),
            Op.ACTIVATION_WRITE: out.numel(),
        }
        name = self._names.get(_storage(weight), where)
        self._add(operation, name, Tally(ops, dense_macs=macs))

    def _add(self, what: str, where: str, tally: Tally) -> None:
        self.kept.setdefault((what, where), []).append(tally)


def _mixes(scores: _Scores, weights: Tensor) -> bool:
    """Whether a tensor has the entries of the scores, in their rows and columns."""
    same = weights.dim() >= 2 and tuple(weights.shape[-2:]) == (scores.queries, scores.keys)
    return same and weights.numel() == scores.entries


def _storage(tensor: Tensor) -> int:
    """What a tensor has in common with its views."""
    return int(StorageWeakRef(tensor.untyped_storage()).cdata)


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tally:
    macs = out.numel() * left.shape[-1]
    return Tally(
        {
            Op.MAC: macs,
            Op.ACTIVATION_READ: left.numel() + right.numel(),
            Op.ACTIVATION_WRITE: out.numel(),
        },
        dense_macs=macs,
    )
