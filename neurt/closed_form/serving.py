"""What a step of a server does, from the plan of the model that it serves. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import floor
from typing import NamedTuple, Protocol

from energy.counts import Counts, Label
from energy.formulas import Attention, Conventions, Mla
from energy.formulas.experts import expected_experts
from energy.serving.step import ACTIVATION_BYTES, Step
from hwmodels import Op
from hwmodels.machine import Widths
from hwmodels.wholechip import Kind
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import Dense, Experts, LatentAttention, SelfAttention, Shape

#: Bits of a weight, and of an entry of a cache, where no checkpoint says otherwise.
BITS = 16

#: Bits of an entry of the state of a recurrence: in FP32, as transformers and servers keep it.
STATE_BITS = Widths().accumulators

#: Parts of mixers whose operands a server keeps on the chip, but for the cache: between Q, K and V
#: and the result of attention, and between the convolution and the result of a recurrence.
_FUSED = ("scores", "softmax", "mix")

#: How a server decodes.
_SERVED = Conventions(mla=Mla.ABSORBED)

_CACHED = (Op.KV_READ, Op.KV_WRITE, Op.STATE_READ, Op.STATE_WRITE)


class Served(Protocol):
    """A model that a server runs."""

    def step(self, sequences: float, prompt: float, output: float, gpus: int) -> Step:
        """What a step does while `sequences` requests of such lengths run side by side."""
        ...


class Moved(NamedTuple):
    """What tokens of one sequence do, weights aside."""

    macs: float
    cache_bytes: float  #: of keys, values, latents and convolutions
    state_bytes: float  #: of the states of recurrences
    activation_bytes: float

    def mixed(self, other: Moved, share: float) -> Moved:
        """So much of the other, and the rest of this."""
        return Moved(*(a + share * (b - a) for a, b in zip(self, other, strict=True)))

    def plus(self, other: Moved, times: float = 1.0) -> Moved:
        """This, and so many times the other."""
        return Moved(*(a + times * b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class PlannedModel:
    """A model whose sizes are known: everything follows from its plan.

    A token of an answer at position c does what the plan of a decode at context c says; a prompt
    what that of a prefill says, causal, with one row of the head. Between sliding windows all of it
    is linear in c, so that two plans for each such stretch give the sum over an answer.
    """

    shape: Shape  #: its sizes
    #: gives the rows of a plan the widths of their weights
    stored: Callable[[Counts], Counts] = lambda counts: counts
    weight_bits: float = BITS  #: of weights of which the rows say no width
    cache_bits: float = BITS  #: of an entry of the cache

    def step(self, sequences: float, prompt: float, output: float, gpus: int) -> Step:
        """See `Served`."""
        finished = sequences / output  # requests that end, and begin, with each step
        made = Moved(0, 0, 0, 0).plus(self._prompt(prompt), finished)
        first, last = prompt + 1, prompt + output - 1
        if output > 1:
            made = made.plus(self._answer(first, last), finished)
        tokens = finished * (prompt + output - 1)
        # Where GPUs are more than cached heads, several of them hold the same one; all of them hold
        # latent vectors, which are of no head.
        held = gpus if self._is_latent else max(1.0, gpus / self.shape.kv_heads)
        return Step(
            kind=self.kind,
            sequences=sequences,
            gpus=gpus,
            weight_bytes=self._weights(sequences),
            tokens=tokens,
            sublayers=self._sublayers,
            width=self.shape.width,
            context=(first + max(first, last)) / 2,
            expert_tokens=tokens * self._sent,
            cache_bytes=held * made.cache_bytes + made.state_bytes,
            macs=made.macs,
            activation_bytes=made.activation_bytes,
        )

    @cached_property
    def kind(self) -> Kind:
        """What it is."""
        layers = self.shape.each
        if any(not isinstance(layer.mixer, SelfAttention) for layer in layers):
            return Kind.RECURRENT
        dense = all(isinstance(layer.feedforward, Dense) for layer in layers)
        return Kind.DENSE if dense else Kind.EXPERTS

    @cached_property
    def _is_latent(self) -> bool:
        """Whether the cache holds latent vectors."""
        return any(isinstance(layer.mixer, LatentAttention) for layer in self.shape.each)

    @cached_property
    def _known(self) -> dict[tuple[str, int], Moved]:
        """What was planned already."""
        return {}

    def _at(self, context: int) -> Moved:
        """What one token at a context does."""
        key = ("decode", context)
        if key not in self._known:
            counts = plan_asa(self.shape, decode(context), _SERVED)
            self._known[key] = self._moved(counts)
        return self._known[key]

    def _prompt(self, tokens: float) -> Moved:
        """What a prompt does; a mean length lies between two whole ones."""
        low = max(1, floor(tokens))
        if tokens <= low:
            return self._whole_prompt(low)
        return self._whole_prompt(low).mixed(self._whole_prompt(low + 1), tokens - low)

    def _whole_prompt(self, tokens: int) -> Moved:
        key = ("prefill", tokens)
        if key not in self._known:
            causal = Conventions(Attention.CAUSAL)
            counts = plan_asa(self.shape, prefill(tokens), causal)
            self._known[key] = self._moved(counts, head=1 / tokens)
        return self._known[key]

    def _moved(self, counts: Counts, head: float = 1.0) -> Moved:
        """Sums over the rows of a plan, of the head only a share."""
        macs = passed = 0.0
        cached = {False: 0.0, True: 0.0}
        for row in counts.layers:
            ops, share = row.tally.ops, head if row.label.component == "lm_head" else 1.0
            macs += share * ops.get(Op.MAC, 0)
            cached[row.label.is_scan] += sum(ops.get(op, 0) for op in _CACHED)
            if not _is_fused(row.label):
                moved = ops.get(Op.ACTIVATION_READ, 0) + ops.get(Op.ACTIVATION_WRITE, 0)
                passed += share * moved
        return Moved(
            macs,
            cached[False] * self.cache_bits / 8,
            cached[True] * STATE_BITS / 8,
            passed * ACTIVATION_BYTES,
        )

    @cached_property
    def _windows(self) -> tuple[int, ...]:
        """Positions from which some layer sees no more of them."""
        found = (getattr(layer.mixer, "window", None) for layer in self.shape.each)
        return tuple(sorted({window.tokens for window in found if window is not None}))

    def _answer(self, first: float, last: float) -> Moved:
        """What tokens at the contexts from first to last do, one at each."""
        total, low = Moved(0, 0, 0, 0), first
        for edge in (*(x for x in self._windows if first <= x < last), last):
            start = max((x for x in self._windows if x < low), default=0)
            half = (edge - low + 1) / 2
            for context in (low, edge):
                total = total.plus(self._on_line(start, context), half)
            low = edge + 1
        return total

    def _on_line(self, start: int, context: float) -> Moved:
        """What a token at a context does, on the line of the stretch behind a window."""
        # A plan of one token alone has nothing cached: a latent vector is expanded there.
        base = max(start + 1, 2) if self._is_latent else start + 1
        return self._at(base).mixed(self._at(base + 1), context - base)

    def _weights(self, sequences: float) -> float:
        """Bytes of weights that so many tokens need."""
        low = max(1, floor(sequences))
        if self.kind is Kind.DENSE:
            return self._weights_of(1)
        least, most = self._weights_of(low), self._weights_of(low + 1)
        return least + (sequences - low) * (most - least)

    def _weights_of(self, batch: int) -> float:
        """Those of so many tokens: linear in the experts that any of them chooses."""
        mixtures = {
            (layer.feedforward.number, layer.feedforward.chosen)
            for layer in self.shape.each
            if isinstance(layer.feedforward, Experts)
        }
        if batch <= 2 or len(mixtures) != 1:
            return self._planned_weights(batch)
        [(number, chosen)] = mixtures
        one, two, many = (expected_experts(number, chosen, tokens) for tokens in (1, 2, batch))
        least = self._planned_weights(1)
        if two == one:
            return least
        return least + (self._planned_weights(2) - least) * (many - one) / (two - one)

    @cached_property
    def _read(self) -> dict[int, float]:
        return {}

    def _planned_weights(self, batch: int) -> float:
        if batch not in self._read:
            counts = self.stored(plan_asa(self.shape, Pass(batch, 1, 1)))
            self._read[batch] = sum(
                row.tally.ops.get(Op.WEIGHT_READ, 0) * (row.weight_bits or self.weight_bits) / 8
                for row in counts.layers
            )
        return self._read[batch]

    @cached_property
    def _sublayers(self) -> int:
        rows = plan_asa(self.shape, decode(1)).layers
        inside = (row.label for row in rows if row.label.depth is not None)
        return sum(label.component == "residual" for label in inside)

    @cached_property
    def _sent(self) -> int:
        """Experts that a token is sent to, over all layers."""
        return sum(getattr(layer.feedforward, "chosen", 0) for layer in self.shape.each)


def _is_fused(label: Label) -> bool:
    """Whether no operand of a row leaves the chip; the activation in a mixer is such a one."""
    inside = label.block == "attention" and label.component == "activation"
    return inside or label.is_scan or label.component in _FUSED
