"""What one step of a server of language models does: the amounts that whole-chip prices are of."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodels.wholechip import LONG_CONTEXT, Kind, Work

#: Bytes of a value that passes between layers: servers keep them in 16 bits.
ACTIVATION_BYTES = 2


@dataclass(frozen=True)
class Step:
    """What a step does on all GPUs together, on average over the requests that it serves.

    A step makes one token of each sequence that runs. A server in a steady state also begins as
    many requests as it finishes, so that a step reads its share of their prompts.
    """

    kind: Kind  #: what the model is
    sequences: float  #: sequences that run side by side, B
    gpus: int  #: GPUs that share the model
    weight_bytes: float  #: bytes of weights that some token of the step needs
    cache_bytes: float  #: bytes of caches and states that are read or written
    macs: float  #: multiply-accumulates, those of prompts too
    activation_bytes: float  #: bytes between layers; scores and weights of attention never leave
    tokens: float  #: tokens of prompts and of answers
    sublayers: int  #: attention and feed-forward blocks of the model
    width: int  #: values of a token between two blocks
    context: float  #: mean positions that a token of an answer attends
    expert_tokens: float = 0  #: tokens times experts that each is sent to, over all layers

    @property
    def amounts(self) -> dict[Work, float]:
        """How much of each kind of work there is, in the order of `Work`."""
        gpus, shared = self.gpus, self.gpus > 1
        passed = self.sublayers * self.tokens
        return {
            Work.STEP: gpus,
            Work.WEIGHT_BYTE: self.weight_bytes,
            Work.CACHE_BYTE: self.cache_bytes,
            Work.MAC: self.macs,
            Work.ACTIVATION_BYTE: self.activation_bytes,
            Work.TOKEN: gpus * self.tokens,
            Work.OUTPUT_TOKEN: gpus * self.sequences,
            Work.SUBLAYER: gpus * self.sublayers,
            Work.SUBLAYER_TOKEN: passed,
            Work.EXPERT_TOKEN: self.expert_tokens,
            Work.ALL_REDUCE: gpus * self.sublayers * shared,
            # A ring: each GPU receives 2 (G - 1) / G of the sum, which all of them do.
            Work.ALL_REDUCE_BYTE: 2 * (gpus - 1) * passed * self.width * ACTIVATION_BYTES,
            Work.LONG_CONTEXT: gpus * max(0.0, self.context - LONG_CONTEXT),
        }
