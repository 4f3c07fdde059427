"""The sizes of a decoder, layer by layer where its layers differ. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from itertools import groupby

from energy.formulas.conventions import Window
from energy.formulas.scan import Delta, Scan


@dataclass(frozen=True)
class SelfAttention:
    """The attention of a layer, beyond its widths."""

    window: Window | None = None  #: the tokens that a query sees at most; None for all before it
    rotated: bool = True  #: whether its Q and K are, in a model that rotates them by their position
    normed: bool = True  #: whether its Q and K are, in a model whose attention has norms of them


@dataclass(frozen=True)
class LatentAttention(SelfAttention):
    """An attention whose cache holds a latent vector and one rotated key for each token (MLA)."""

    query_rank: int = 0  #: width of what queries are made of; 0 where they are made directly
    rank: int = 0  #: width of the latent vector, of which keys and values are made
    nope: int = 0  #: channels of a head of Q and of K that are not rotated
    rotary: int = 0  #: channels that are, of which K has those of one head for all
    value: int = 0  #: channels of a head of V


@dataclass(frozen=True)
class StateSpace:
    """A mixer of Mamba-2: a short convolution, and a state in the place of keys and values."""

    scan: Scan  #: the sizes of its recurrence
    kernel: int  #: tokens that the convolution sees
    bias: bool = False  #: whether the projection into it has one
    out_bias: bool = False  #: whether the projection from it has one
    kernel_bias: bool = True  #: whether the convolution has one
    normed: bool = True  #: whether a norm stands behind it, of which its gate is a part
    scaled: bool = False  #: whether constants multiply what goes into it and what is made of that


@dataclass(frozen=True)
class SideBySide:
    """An attention and a mixer of Mamba-2 that read the same, and whose results are added."""

    attention: SelfAttention
    state: StateSpace


@dataclass(frozen=True)
class SharedBlock:
    """A mixer of Mamba-2 behind a transformer block that several layers share (Zamba2).

    The block reads the residual stream beside the embedded tokens, and each call of it has adapters
    of its own.
    """

    attention: SelfAttention
    state: StateSpace
    inner: int  #: width of the hidden layer of the block
    call: int  #: how many layers before it share a block
    blocks: int  #: how many different blocks there are
    rank: int  #: width of the adapters
    adapted: bool = False  #: whether Q, K and V have adapters, too


@dataclass(frozen=True)
class DeltaRule:
    """A mixer of gated delta networks: a short convolution, and a state of keys and values."""

    delta: Delta  #: the sizes of its recurrence
    kernel: int  #: tokens that the convolution sees


@dataclass(frozen=True)
class Dense:
    """A feed-forward block that every token passes."""

    inner: int  #: width of its hidden layer


@dataclass(frozen=True)
class Experts:
    """A mixture of experts: feed-forward blocks of which each token passes a few."""

    number: int  #: how many there are E
    chosen: int  #: how many a token passes k
    inner: int  #: width of the hidden layer of each
    normalised: bool = False  #: whether the weights of the chosen ones are divided by their sum
    shared: int = 0  #: width of the hidden layer of the block that every token passes beside them
    scaled: bool = False  #: whether the weights are multiplied by a constant
    groups: int = 0  #: groups of experts, of which some are chosen first; 0 where all compete
    groups_chosen: int = 0  #: how many of them


@dataclass(frozen=True)
class Layer:
    """A layer: what mixes tokens, and what each token then passes by itself; None for neither."""

    mixer: SelfAttention | StateSpace | SideBySide | SharedBlock | DeltaRule | None
    feedforward: Dense | Experts | None


class Head(StrEnum):
    """What a model ends in."""

    TOKENS = "tokens"  #: logits of the next token
    SEQUENCE = "sequence"  #: labels of a sequence: a classification, or a reward
    TOKEN = "token"  #: labels of each token


@dataclass(frozen=True)
class Shape:
    """The sizes that decide every dense count. What is left out is as in GPT-2."""

    layers: int  #: transformer layers L
    width: int  #: model width d
    heads: int  #: attention heads
    inner: int  #: width of the feed-forward block
    vocabulary: int = 50257  #: entries of the embedding V
    positions: int = 1024  #: longest sequence, as its configuration says
    model_type: str = "gpt2"  #: the `model_type` of a `config.json`, as of the analog model
    kv_heads: int = 0  #: cached heads, each shared by `heads / kv_heads` query heads; 0 for `heads`
    head_width: int = 0  #: channels of a head; 0 for `width / heads`
    activation: str = "gelu_new"  #: name of the activation in transformers
    qkv_bias: bool = True  #: whether the projections to Q, K and V have a bias
    out_bias: bool = True  #: whether the output projection of attention has one
    ffn_bias: bool = True  #: whether the layers of the feed-forward block have one
    #: whether the head shares the weights of the embedding; decides memory, and no count
    tied: bool = True
    head_bias: bool = False  #: whether the language-model head has a bias
    rotated: int = 0  #: channels of a head that are rotated by positions, if any are; 0 for all
    table_width: int = 0  #: channels of the table of tokens and of the head; 0 for `width`
    head: Head = Head.TOKENS  #: what it ends in
    labels: int = 0  #: what it scores where that is no token
    capped: bool = False  #: whether a tanh bounds the scores of attention
    variant: str = ""  #: which layout of its family it has, where there are several
    #: its layers one by one; empty where all have full attention and a dense block of width `inner`
    kinds: tuple[Layer, ...] = ()

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

    @property
    def rotary_width(self) -> int:
        """Channels of a head that are rotated, in a model that rotates some."""
        return self.rotated or self.head_width

    @property
    def entries(self) -> int:
        """Channels of an entry of the table of tokens."""
        return self.table_width or self.width

    @property
    def each(self) -> tuple[Layer, ...]:
        """Its layers, one by one."""
        return self.kinds or (Layer(SelfAttention(), Dense(self.inner)),) * self.layers

    @property
    def window(self) -> int | None:
        """Longest sequence in which every query of every layer sees all before it; None for any."""
        mixers = (kind.mixer for kind in self.kinds)
        windows = (mixer.window for mixer in mixers if isinstance(mixer, SelfAttention))
        return min((window.tokens for window in windows if window), default=None)

    @property
    def span(self) -> int:
        """The same, of no more positions than it has."""
        return self.positions if self.window is None else min(self.positions, self.window)

    def as_dict(self) -> dict[str, object]:
        """Its sizes for a file, without those that only few families have and this one has not.

        Layers that follow each other and are alike are written once, with their number.
        """
        known = asdict(self) | {
            "kinds": [
                {"layers": len([*alike]), **asdict(kind)} for kind, alike in groupby(self.kinds)
            ]
        }
        rare = {x.name: x.default for x in fields(self) if x.name in _RARE}
        return {name: x for name, x in known.items() if name not in rare or (x and x != rare[name])}


#: Fields that a file leaves out where they are as in GPT-2.
_RARE = ("head_bias", "rotated", "table_width", "head", "labels", "capped", "variant", "kinds")
