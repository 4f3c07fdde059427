"""What the toolkit must know of an architecture, as one declaration. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from energy.formulas.experts import Scoring
from energy.formulas.scan import Delta
from neurt.families.config import Config
from neurt.families.shape import Layer, Shape


@dataclass(frozen=True)
class Norm:
    """A kind of norm: its class, and what of it there is."""

    kind: str  #: class in transformers, after the prefix of the family where it is `own`
    own: bool = True  #: whether the class is one of the family
    centred: bool = False  #: whether it takes off the mean (LayerNorm)
    scale: bool = True  #: whether it has weights
    shift: bool = False  #: whether it has a bias
    offset: bool = False  #: whether its scale is 1 + weight

    def parameters(self, width: int) -> int:
        """Weights and biases of a norm of vectors of so many values."""
        return (self.scale + self.shift) * width


LAYER_NORM = Norm("LayerNorm", own=False, centred=True, shift=True)
RMS_NORM = Norm("RMSNorm")


class Norms(NamedTuple):
    """Names in a layer of the norms around its two blocks; None where there is none."""

    attention: str | None  #: of what attention reads (and the feed-forward too, without one)
    feedforward: str | None  #: of what the feed-forward block reads
    after_attention: str | None = None  #: of what attention gives
    after_feedforward: str | None = None  #: of what the feed-forward block gives

    def of(self, kind: Layer) -> Norms:
        """Those of a layer, without those of a block that it has not."""
        before, inside, after, last = self
        mixes, feeds = kind.mixer is not None, kind.feedforward is not None
        return Norms(
            before if mixes else None,
            inside if feeds else None,
            after if mixes else None,
            last if feeds else None,
        )


@dataclass(frozen=True)
class Attention:
    """Where attention lives in a transformer layer, and what it is made of."""

    path: str  #: its name in the layer
    #: projections to Q, K and V: three layers, or the one that makes all of them
    inputs: tuple[str, ...]
    output: str  #: output projection
    rotary: bool = False  #: whether Q and K are rotated by their position
    #: norms of Q and of K, before they are rotated; none where empty
    norms: tuple[str, ...] = ()
    #: whether each head is normed by itself, with weights that all share or its own, which one
    #: layer holds or one for each head
    norm_over: Literal["all", "head", "head, own weights", "head, own layer"] = "head"
    norm: Norm | None = None  #: what these norms are; None for what all of the model are
    #: whether it asks transformers' interface for attention, which can be exposed; the rows of one
    #: that does not are called after what they are, and its rotation is not counted
    exposed: bool = True
    gated: bool = False  #: whether the projection to Q makes a gate of what the heads mix, too
    sinks: bool = False  #: whether each head has a learned score that takes part in the softmax
    #: factor of the scores, from a configuration of transformers and the index of the layer; None
    #: for one over the root of the width of a head
    score_scale: Callable[[Any, int], float] | None = None


@dataclass(frozen=True)
class Recurrence:
    """Where a mixer of Mamba-2 lives in a layer. Its parts are called alike in all families."""

    path: str  #: its name in the layer
    kind: str  #: its class
    norm: str  #: class of its norm, which has a gate
    #: name in the layer of the addition of what it and an attention beside it give; None where
    #: no layer has both
    sum: str | None = None
    activation: str = "SiLUActivation"  #: class of the activation behind its convolution


#: What a projection of such a mixer makes: a property of `Delta`.
Made = Literal["convolved", "values", "heads"]


@dataclass(frozen=True)
class DeltaNet:
    """Where a mixer with the gated delta rule lives in a layer, beside `conv1d` and the like."""

    path: str  #: its name in the layer
    kind: str  #: its class
    norm: str  #: class of its norm, which has a gate
    #: projections, and what each of them makes: Q, K and V (`convolved`), a gate (`values`), a
    #: decay and a strength of each head (`heads`)
    inputs: tuple[tuple[str, tuple[Made, ...]], ...]

    def made(self, delta: Delta) -> dict[str, int]:
        """What each projection makes of a token."""
        return {name: sum(getattr(delta, part) for part in parts) for name, parts in self.inputs}


@dataclass(frozen=True)
class FeedForward:
    """Where the feed-forward block lives in a transformer layer, and what it is made of."""

    path: str  #: its name in the layer; empty where its parts are parts of the layer itself
    up: str  #: projection to the hidden layer
    down: str  #: projection from it
    activation: str  #: the activation
    #: a second projection to the hidden layer, whose activation multiplies the first
    gate: str | None = None
    fused: bool = False  #: whether `up` makes the gate too

    @property
    def gated(self) -> bool:
        """Whether an activation multiplies what it does not read."""
        return self.fused or self.gate is not None

    @property
    def into_hidden(self) -> tuple[str, ...]:
        """The projections to the hidden layer, the gate first."""
        return (self.up,) if self.gate is None else (self.gate, self.up)

    def name(self, part: str) -> str:
        """Name of a part within the transformer layer."""
        return f"{self.path}.{part}" if self.path else part


@dataclass(frozen=True)
class Mixture:
    """Where a mixture of experts lives in a transformer layer, and how it works."""

    path: str  #: its name in the layer
    router: str  #: what chooses the experts
    scoring: Scoring  #: how it makes weights of its logits
    biased: bool = False  #: whether the router and the experts have biases
    #: whether the gate is clamped and shifted, with an activation that is no layer (gpt-oss)
    clamped: bool = False
    corrected: bool = False  #: whether the router adds a learned bias for the choice alone
    group_best: int = 2  #: how many members speak for a group of experts
    gated: bool = True  #: whether the experts have a gate
    shared: FeedForward | None = None  #: the block that every token passes beside the chosen ones
    sum: str | None = None  #: name in the layer of the addition of both; None for its own first
    shared_gate: str | None = None  #: the layer that makes one weight of that block for each token
    router_class: str = "TopKRouter"  #: class of the router, after the prefix of the family
    experts_class: str = "Experts"  #: that of what holds the experts


@dataclass(frozen=True)
class Family:
    """One architecture. Everything that is not said here is the same for all."""

    name: str  #: its name in messages
    #: `model_type` of a `config.json` to the prefix of transformers' classes
    classes: Mapping[str, str]
    #: sizes of a model, from its configuration (and its `model_type`)
    read: Callable[[Config, str], Shape]
    layers: str  #: dotted name of the list of transformer layers
    attention: Attention  #: the attention of a layer
    feedforward: FeedForward  #: the feed-forward block of a layer
    norms: Norms  #: the norms of a layer
    final_norm: str | None  #: dotted name of the last norm; None where there is none
    #: dotted names of the embeddings, of tokens first, and the class of each
    embeddings: tuple[tuple[str, str], ...]
    #: dotted names of the layers that make the width of the model of that of the table of tokens,
    #: and back before the head, in a model where these differ
    projections: tuple[str, str] | None = None
    #: whether each sequence of a batch looks its positions up by itself
    positions_by_sequence: bool = False
    positions_unused: int = 0  #: rows of the table of learned positions beyond `Shape.positions`
    angles: str | None = None  #: dotted name of what computes the angles of rotary positions
    rotary_class: str = "RotaryEmbedding"  #: class of that, after the prefix of the family
    angles_apart: bool = False  #: whether layers with a window have angles of their own
    linear: Literal["Conv1D", "Linear", "FalconLinear"] = "Linear"  #: class of its linear layers
    norm: Norm = LAYER_NORM  #: what its norms are
    recurrence: Recurrence | None = None  #: what some layers have in the place of attention
    delta: DeltaNet | None = None  #: the same with the gated delta rule
    mixture: Mixture | None = None  #: what some layers have in the place of the feed-forward block
    embedding_norm: str | None = None  #: dotted name of a norm of the embedded tokens
    embedding_scaled: bool = False  #: whether the look-up of tokens multiplies them by a constant
    #: names in a layer of the additions of what attention and the feed-forward block give
    residuals: tuple[str, str] = ("residual.0", "residual.1")
    token_scores: str = "score"  #: name of the head where it labels tokens
    #: block and component of other parts of a layer, by name, without the numbers in it
    parts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    model: str = "ForCausalLM"  #: what transformers appends to the prefix for the language model
    variant: str = ""  #: which of the layouts of these classes it is; see `Shape.variant`
    converted: bool = (
        False  #: whether it can be converted to spikes; others are planned and counted
    )

    @property
    def learns_positions(self) -> bool:
        """Whether it has a table of them, which ends; what is rotated or falls with distance not.

        No count depends on how many positions a model without one was trained with.
        """
        return len(self.embeddings) > 1

    def class_of_norm(self, model_type: str, norm: Norm | None = None) -> str:
        """The class of its norms, or of another kind of norm, in a model of a type."""
        norm = norm or self.norm
        return (self.classes[model_type] if norm.own else "") + norm.kind
