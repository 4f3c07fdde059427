"""What the toolkit must know of an architecture, as one declaration. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hwmodels.errors import UserError


class ShapeError(UserError, ValueError):
    """A configuration that is of no known family, or whose sizes are impossible."""


@dataclass(frozen=True)
class Shape:
    """The sizes that decide every dense count. What is left out is as in GPT-2."""

    layers: int  #: transformer layers L
    width: int  #: model width d
    heads: int  #: attention heads
    inner: int  #: width of the feed-forward block
    vocabulary: int = 50257  #: entries of the embedding V
    #: longest sequence, or the sliding window of attention where that is shorter: beyond it, what a
    #: query sees is no longer everything before it
    positions: int = 1024
    model_type: str = "gpt2"  #: the `model_type` of a `config.json`, as of the analog model
    kv_heads: int = 0  #: cached heads, each shared by `heads / kv_heads` query heads; 0 for `heads`
    head_width: int = 0  #: channels of a head; 0 for `width / heads`
    activation: str = "gelu_new"  #: name of the activation in transformers
    qkv_bias: bool = True  #: whether the projections to Q, K and V have a bias
    out_bias: bool = True  #: whether the output projection of attention has one
    ffn_bias: bool = True  #: whether the layers of the feed-forward block have one
    #: whether the head shares the weights of the embedding; decides memory, and no count
    tied: bool = True

    def __post_init__(self) -> None:
        """Fill in the sizes that follow from others."""
        object.__setattr__(self, "kv_heads", self.kv_heads or self.heads)
        object.__setattr__(self, "head_width", self.head_width or self.width // self.heads)

    @property
    def query_width(self) -> int:
        """Channels of Q, and of what the heads mix."""
        return self.heads * self.head_width

    @property
    def kv_width(self) -> int:
        """Channels of K, and of V."""
        return self.kv_heads * self.head_width


class Config(NamedTuple):
    """A `config.json` that is being read."""

    content: Mapping[str, Any]  #: what it holds
    name: str  #: what to call the model in an error message

    def size(self, key: str, default: int | None = None) -> int:
        """An integer >= 1, the default where it is absent or null; raises ShapeError for others."""
        value = self.content.get(key)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ShapeError(f"model '{self.name}': '{key}' (= {value!r}) must be an integer >= 1")
        return value

    def multiple(self, key: str, of: str, default: int | None = None) -> tuple[int, int]:
        """Two sizes; ShapeError unless the first is a multiple of the second (or `default`)."""
        whole, part = self.size(key), self.size(of, default)
        if whole % part:
            raise ShapeError(
                f"model '{self.name}': '{key}' (= {whole}) must be divisible by '{of}' (= {part})"
            )
        return whole, part

    def require(self, key: str, *allowed: object) -> Any:
        """One of the values that have a counting rule, the first where absent; else ShapeError."""
        value = self.content.get(key, allowed[0])
        if value not in allowed:
            known = ", ".join(repr(value) for value in allowed)
            raise ShapeError(
                f"model '{self.name}': '{key}' (= {value!r}) has no counting rule; supported: "
                f"{known}"
            )
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Whether something is there."""
        return bool(self.content.get(key, default))


@dataclass(frozen=True)
class Attention:
    """Where attention lives in a transformer layer, and what it is made of."""

    path: str  #: its name in the layer
    #: projections to Q, K and V: three layers, or the one that makes all of them
    inputs: tuple[str, ...]
    output: str  #: output projection
    rotary: bool = False  #: whether Q and K are rotated by their position
    #: factor of the scores, from a configuration of transformers and the index of the layer; None
    #: for one over the root of the width of a head
    score_scale: Callable[[Any, int], float] | None = None


@dataclass(frozen=True)
class FeedForward:
    """Where the feed-forward block lives in a transformer layer, and what it is made of."""

    path: str  #: its name in the layer; empty where its parts are parts of the layer itself
    up: str  #: projection to the hidden layer
    down: str  #: projection from it
    activation: str  #: the activation
    #: a second projection to the hidden layer, whose activation multiplies the first
    gate: str | None = None

    @property
    def into_hidden(self) -> tuple[str, ...]:
        """The projections to the hidden layer, the gate first."""
        return (self.up,) if self.gate is None else (self.gate, self.up)

    def name(self, part: str) -> str:
        """Name of a part within the transformer layer."""
        return f"{self.path}.{part}" if self.path else part


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
    #: names in a layer of the norm before attention and the one before feed-forward
    norms: tuple[str, str]
    final_norm: str  #: dotted name of the last norm
    #: dotted names of the embeddings, of tokens first, and the class of each
    embeddings: tuple[tuple[str, str], ...]
    #: whether each sequence of a batch looks its positions up by itself
    positions_by_sequence: bool = False
    angles: str | None = None  #: dotted name of what computes the angles of rotary positions
    linear: Literal["Conv1D", "Linear"] = "Linear"  #: class of its linear layers
    #: class of its norms, after the prefix where it is `RMSNorm`
    norm: Literal["LayerNorm", "RMSNorm"] = "LayerNorm"
    model: str = "ForCausalLM"  #: what transformers appends to the prefix for the language model
