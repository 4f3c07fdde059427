"""What a step of a server does of a model that is described by numbers for each token. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from energy.serving.step import Step
from hwmodels.wholechip import Kind


@dataclass(frozen=True)
class SizedModel:
    """A model that is described by numbers for each token: see the columns `size_...`."""

    weight_bytes: float
    cache_bytes: float  #: of each position
    macs: float
    attention_macs: float  #: of each position
    activation_bytes: float
    sublayers: float
    width: float
    state_bytes: float = 0.0  #: read and written for each token

    def step(self, sequences: float, prompt: float, output: float, gpus: int) -> Step:
        """See `Served`. A prompt attends half of itself, and reads its cache once."""
        finished = sequences / output
        tokens = finished * (prompt + output - 1)
        context = prompt + output / 2
        answered = finished * (output - 1)
        attended = answered * context + finished * prompt * (prompt + 1) / 2
        read = answered * (context + 1) + finished * prompt
        return Step(
            kind=Kind.RECURRENT if self.state_bytes else Kind.DENSE,
            sequences=sequences,
            gpus=gpus,
            weight_bytes=self.weight_bytes,
            cache_bytes=read * self.cache_bytes + answered * self.state_bytes,
            macs=tokens * self.macs + attended * self.attention_macs,
            activation_bytes=tokens * self.activation_bytes,
            tokens=tokens,
            sublayers=int(self.sublayers),
            width=int(self.width),
            context=context,
        )
