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
    """The sizes that decide every dense count. What is left out is as in GPT-2.

    Attributes:
        layers: Transformer layers L.
        width: Model width d.
        heads: Attention heads.
        inner: Width of the feed-forward block.
        vocabulary: Entries of the embedding V.
        positions: Longest sequence, or the sliding window of attention where that is shorter:
            beyond it, what a query sees is no longer everything before it.
        model_type: The `model_type` of a `config.json`, as of the analog model.
        kv_heads: Cached heads, each shared by `heads / kv_heads` query heads; 0 for `heads`.
        head_width: Channels of a head; 0 for `width / heads`.
        activation: Name of the activation in transformers.
        qkv_bias: Whether the projections to Q, K and V have a bias.
        out_bias: Whether the output projection of attention has one.
        ffn_bias: Whether the layers of the feed-forward block have one.
        tied: Whether the head shares the weights of the embedding; decides memory, and no count.
    """

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int = 50257
    positions: int = 1024
    model_type: str = "gpt2"
    kv_heads: int = 0
    head_width: int = 0
    activation: str = "gelu_new"
    qkv_bias: bool = True
    out_bias: bool = True
    ffn_bias: bool = True
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
    """A `config.json` that is being read.

    Attributes:
        content: What it holds.
        name: What to call the model in an error message.
    """

    content: Mapping[str, Any]
    name: str

    def size(self, key: str, default: int | None = None) -> int:
        """An integer >= 1; the default where it is absent or null.

        Raises:
            ShapeError: If it is none.
        """
        value = self.content.get(key)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ShapeError(f"model '{self.name}': '{key}' (= {value!r}) must be an integer >= 1")
        return value

    def multiple(self, key: str, of: str, default: int | None = None) -> tuple[int, int]:
        """Two sizes, of which the first must be a multiple of the second (else `default`).

        Raises:
            ShapeError: If it is none.
        """
        whole, part = self.size(key), self.size(of, default)
        if whole % part:
            raise ShapeError(
                f"model '{self.name}': '{key}' (= {whole}) must be divisible by '{of}' (= {part})"
            )
        return whole, part

    def require(self, key: str, *allowed: object) -> Any:
        """One of the values that have a counting rule; the first where it is absent.

        Raises:
            ShapeError: If it is another.
        """
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
    """Where attention lives in a transformer layer, and what it is made of.

    Attributes:
        path: Its name in the layer.
        inputs: Projections to Q, K and V: three layers, or the one that makes all of them.
        output: Output projection.
        rotary: Whether Q and K are rotated by their position.
        score_scale: Factor of the scores, from a configuration of transformers and the index of
            the layer; None for one over the root of the width of a head.
    """

    path: str
    inputs: tuple[str, ...]
    output: str
    rotary: bool = False
    score_scale: Callable[[Any, int], float] | None = None


@dataclass(frozen=True)
class FeedForward:
    """Where the feed-forward block lives in a transformer layer, and what it is made of.

    Attributes:
        path: Its name in the layer; empty where its parts are parts of the layer itself.
        up: Projection to the hidden layer.
        down: Projection from it.
        activation: The activation.
        gate: A second projection to the hidden layer, whose activation multiplies the first.
    """

    path: str
    up: str
    down: str
    activation: str
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
    """One architecture. Everything that is not said here is the same for all.

    Attributes:
        name: Its name in messages.
        classes: `model_type` of a `config.json` to the prefix of transformers' classes.
        read: Sizes of a model, from its configuration (and its `model_type`).
        layers: Dotted name of the list of transformer layers.
        attention: The attention of a layer.
        feedforward: The feed-forward block of a layer.
        norms: Names in a layer of the norm before attention and the one before feed-forward.
        final_norm: Dotted name of the last norm.
        embeddings: Dotted names of the embeddings, of tokens first, and the class of each.
        positions_by_sequence: Whether each sequence of a batch looks its positions up by itself.
        angles: Dotted name of what computes the angles of rotary positions.
        linear: Class of its linear layers.
        norm: Class of its norms, after the prefix where it is `RMSNorm`.
        model: What transformers appends to the prefix for the language model.
    """

    name: str
    classes: Mapping[str, str]
    read: Callable[[Config, str], Shape]
    layers: str
    attention: Attention
    feedforward: FeedForward
    norms: tuple[str, str]
    final_norm: str
    embeddings: tuple[tuple[str, str], ...]
    positions_by_sequence: bool = False
    angles: str | None = None
    linear: Literal["Conv1D", "Linear"] = "Linear"
    norm: Literal["LayerNorm", "RMSNorm"] = "LayerNorm"
    model: str = "ForCausalLM"
