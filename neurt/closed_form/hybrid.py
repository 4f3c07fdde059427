"""Decoders that mix tokens by Mamba-2 in most layers, as a server runs them: sizes for each token.

A plan does not know their layers yet; these sums stand for it. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.serving.step import ACTIVATION_BYTES
from neurt.closed_form.serving import BITS, SizedModel
from neurt.families.config import Config

#: Bytes of an entry of a state: servers keep states in FP32 and convolutions in 16 bits.
_STATE_BYTES, _CONVOLVED_BYTES = 4, 2


@dataclass(frozen=True)
class MambaHybrid:
    """The sizes of a decoder whose layers are one block each: Mamba-2, attention or dense.

    Source: Dao and Gu, "Transformers are SSMs", arXiv 2405.21060, section 7; the layout of
    Nemotron-H, arXiv 2504.03624. Dense blocks are squared ReLU without a gate, and positions are
    not rotated.
    """

    width: int
    vocabulary: int
    mamba_layers: int
    attention_layers: int
    dense_layers: int
    inner: int  #: width of the hidden layer of a dense block
    heads: int
    kv_heads: int
    head_width: int
    mamba_heads: int
    mamba_width: int  #: channels of a head
    state: int  #: entries of the state for each channel
    groups: int  #: of heads that share B and C
    kernel: int  #: tokens that the convolution sees

    @property
    def layers(self) -> int:
        """Blocks in all."""
        return self.mamba_layers + self.attention_layers + self.dense_layers

    @property
    def channels(self) -> int:
        """Channels of a Mamba-2 layer."""
        return self.mamba_heads * self.mamba_width

    @property
    def convolved(self) -> int:
        """Channels that are convolved: x, B and C."""
        return self.channels + 2 * self.groups * self.state

    @property
    def made(self) -> int:
        """What the input projection of a Mamba-2 layer makes: z, x, B, C, a step of each head."""
        return self.channels + self.convolved + self.mamba_heads

    @property
    def weights(self) -> int:
        """Entries of the matrices that a token passes, the head among them."""
        mamba = self.width * (self.made + self.channels)
        query, cached = self.heads * self.head_width, self.kv_heads * self.head_width
        attention = self.width * (2 * query + 2 * cached)
        dense = 2 * self.width * self.inner
        return (
            self.mamba_layers * mamba
            + self.attention_layers * attention
            + self.dense_layers * dense
            + self.vocabulary * self.width
        )

    @property
    def parameters(self) -> int:
        """All of them but norms, biases and convolutions, which are one in a thousand."""
        return self.weights + self.vocabulary * self.width

    def served(self, weight_bits: float = BITS, cache_bits: float = BITS) -> SizedModel:
        """What it does for each token, with weights and caches of so many bits."""
        states = self.mamba_layers * self.channels * self.state
        rows = self.mamba_layers * (self.kernel - 1) * self.convolved
        query, cached = self.heads * self.head_width, self.kv_heads * self.head_width
        return SizedModel(
            weight_bytes=self.weights * weight_bits / 8,
            cache_bytes=self.attention_layers * 2 * cached * cache_bits / 8,
            # A state is scaled and added to, then read by C: two products for each entry.
            macs=self.weights + 2 * states + self.mamba_layers * self.kernel * self.convolved,
            attention_macs=self.attention_layers * 2 * query,
            activation_bytes=ACTIVATION_BYTES * self._moved(query, cached),
            sublayers=self.layers,
            width=self.width,
            state_bytes=2 * (_STATE_BYTES * states + _CONVOLVED_BYTES * rows),
        )

    def _moved(self, query: int, cached: int) -> int:
        """Values read and written between layers: norm 2 d, residual 3 d, and those of the block.

        Mamba-2: the projections, the convolution, and the gated norm over z and what is read of
        the state. Dense: both projections and the activation.
        """
        width, channels = self.width, self.channels
        mamba = width + self.made + 2 * self.convolved + 3 * channels + channels + width
        attention = 3 * width + query + 2 * cached + query + width
        dense = width + self.inner + 2 * self.inner + self.inner + width
        return (
            self.layers * 5 * width
            + self.mamba_layers * mamba
            + self.attention_layers * attention
            + self.dense_layers * dense
            + width
            + self.vocabulary
        )


#: The `model_type` of a `config.json`.
MODEL_TYPE = "nemotron_h"

#: Letters of `hybrid_override_pattern`, one for each layer.
_PATTERN = {"M": "mamba", "*": "attention", "-": "dense"}
#: Words of `layers_block_type`, which newer configurations have in its place.
_WORDS = {
    **dict.fromkeys(("mamba", "linear_attention"), "mamba"),
    **dict.fromkeys(("attention", "full_attention"), "attention"),
    "mlp": "dense",
}


def read_hybrid(config: Config) -> MambaHybrid:
    """Read the sizes of a model in a `config.json`; raises ShapeError if one is impossible."""
    pattern = config.content.get("hybrid_override_pattern")
    words = config.content.get("layers_block_type")
    if isinstance(pattern, str) and set(pattern) <= set(_PATTERN):
        kinds = [_PATTERN[letter] for letter in pattern]
    elif isinstance(words, list) and all(word in _WORDS for word in words):
        kinds = [_WORDS[word] for word in words]
    else:
        key = "layers_block_type" if pattern is None else "hybrid_override_pattern"
        value = config.content.get(key)
        raise config.wrong(key, value, "must say layers of Mamba, attention and dense blocks alone")
    heads = config.size("num_attention_heads")
    return MambaHybrid(
        width=config.size("hidden_size"),
        vocabulary=config.size("vocab_size"),
        mamba_layers=kinds.count("mamba"),
        attention_layers=kinds.count("attention"),
        dense_layers=kinds.count("dense"),
        inner=config.size("intermediate_size"),
        heads=heads,
        kv_heads=config.size("num_key_value_heads", heads),
        head_width=config.size("head_dim", config.content.get("attention_head_dim")),
        mamba_heads=config.size("mamba_num_heads"),
        mamba_width=config.size("mamba_head_dim"),
        state=config.size("ssm_state_size"),
        groups=config.size("n_groups"),
        kernel=config.size("conv_kernel"),
    )


#: By their id on the hub. NVIDIA, "Nemotron Nano 2", arXiv 2508.14444, table 1 and section 4.
HYBRIDS = {
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2": MambaHybrid(
        width=4480,
        vocabulary=131_072,
        mamba_layers=27,
        attention_layers=4,
        dense_layers=25,
        inner=15_680,
        heads=40,
        kv_heads=8,
        head_width=128,
        mamba_heads=128,
        mamba_width=80,
        state=128,
        groups=8,
        kernel=4,
    ),
    "nvidia/NVIDIA-Nemotron-Nano-12B-v2": MambaHybrid(
        width=5120,
        vocabulary=131_072,
        mamba_layers=28,
        attention_layers=6,
        dense_layers=28,
        inner=20_480,
        heads=40,
        kv_heads=8,
        head_width=128,
        mamba_heads=128,
        mamba_width=80,
        state=128,
        groups=8,
        kernel=4,
    ),
}
