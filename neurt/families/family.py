"""What the toolkit must know of an architecture, as one declaration. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple

from hwmodels.errors import UserError
from hwmodels.plain import quoted

#: The most transformer layers: the deepest published model has 1,000 (DeepNet, arXiv:2203.00555).
MAX_LAYERS = 1_000
#: The largest of the other sizes, a hundred times what any model has.
MAX_SIZE = 1_000_000_000


#: What a `config.json` may hold that makes transformers run code of others, ask for other packages
#: or open other files, beside what begins with two underscores. None of it describes a decoder.
UNREAD = frozenset(
    (
        *("auto_map", "custom_code", "custom_generate", "custom_pipelines", "trust_remote_code"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
        *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
        *("quantization_config", "compression_config", "fusion_config", "distributed_config"),
        *("transformers_weights", "extra_files", "use_kernels", "kernel_config", "gguf_file"),
        *("name_or_path", "_name_or_path", "_commit_hash", "dtype", "torch_dtype"),
    )
)


class ShapeError(UserError, ValueError):
    """A configuration that is of no known family, or whose sizes are impossible."""


class ContradictionError(ShapeError):
    """A configuration that gives one size twice, and differently."""


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
    """A `config.json` that is being read. Nothing in it is taken for something that it is not."""

    content: Mapping[str, Any]  #: what it holds
    name: str  #: what to call the model in an error message

    def size(self, key: str, default: int | None = None, *, largest: int = MAX_SIZE) -> int:
        """An integer from 1 to `largest`, the default where it is absent or null; else ShapeError.

        A boolean, a fraction or a number in quotation marks is none.
        """
        value = self.content.get(key)
        if value is None:
            value = default
        if type(value) is not int or value < 1:
            raise self.wrong(key, value, "must be an integer >= 1")
        if value > largest:
            raise self.wrong(key, value, f"must be at most {largest:,}; no model has more")
        return value

    def layers(self, key: str) -> int:
        """The number of transformer layers; raises ShapeError unless it is 1 to `MAX_LAYERS`."""
        return self.size(key, largest=MAX_LAYERS)

    def check_synonyms(self, names: Mapping[str, str]) -> None:
        """Raise ContradictionError if a key and another name of it have different values.

        Args:
            names: The keys, each with its other name, which transformers reads too.
        """
        for key, other in names.items():
            values = self.content.get(key), self.content.get(other)
            if None not in values and values[0] != values[1]:
                raise ContradictionError(
                    f"model '{self.name}': '{key}' (= {quoted(values[0])}) and '{other}' "
                    f"(= {quoted(values[1])}) are one size; keep one of them"
                )

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
        if not any(type(value) is type(known) and value == known for known in allowed):
            known = ", ".join(repr(value) for value in allowed)
            raise self.wrong(key, value, f"has no counting rule; supported: {known}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Whether something is there; ShapeError unless it is true or false.

        What is absent is the default, and what is null is false, as in transformers; null where the
        default is true can mean either, and is refused.
        """
        value = self.content.get(key, default)
        if value is None and not default:
            return False
        if not isinstance(value, bool):
            raise self.wrong(key, value, "must be true or false, without quotation marks")
        return value

    def check_positive(self, key: str, value: object) -> None:
        """Raise ShapeError unless a value is null or a finite number > 0."""
        if value is None:
            return
        if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 < value < inf):
            raise self.wrong(key, value, "must be a number > 0")

    def wrong(self, key: str, value: object, rule: str) -> ShapeError:
        """The error about a value that breaks a rule."""
        return ShapeError(f"model '{self.name}': '{key}' (= {quoted(value)}) {rule}")


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
