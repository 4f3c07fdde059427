"""What one run produced: everything a report needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from energy import Counts, Estimate, estimate
from hwmodels import HardwareProfile

#: What the paper states for the attention block: arXiv 2510.00133, abstract.
PUBLISHED_SAVING = (0.6471, 0.8528)
#: What it states for the perplexity of GPT-2 small, on the text of its own choice.
PUBLISHED_CHANGE = 0.097
PUBLISHED_SOURCE = "NeurTransformer, arXiv 2510.00133, abstract: attention block, GPT-2, digital"


@dataclass(frozen=True)
class Run:
    """One analog model, its spiking conversion, and the hardware they are priced on.

    Attributes:
        command: `profile` (measured) or `plan` (closed form at an assumed spike rate).
        asa: Counts of the analog model.
        ssa: Counts of the spiking model.
        profiles: Hardware, in the order asked for.
        settings: Everything that was chosen, for `run.json`.
        versions: Software, for `run.json`.
        created: When, in ISO format.
    """

    command: str
    asa: Counts
    ssa: Counts
    profiles: tuple[HardwareProfile, ...]
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    created: str

    @cached_property
    def estimates(self) -> dict[str, tuple[Estimate, Estimate]]:
        """Bills of the analog and of the spiking model, by profile name."""
        return {
            profile.name: (estimate(self.asa, profile), estimate(self.ssa, profile))
            for profile in self.profiles
        }

    @property
    def title(self) -> str:
        """The model and its conversion, in one line for tables and pictures."""
        rate = "" if self.command == "profile" else f", spike rate {self.settings['spike_rate']}"
        return f"{self.asa.model}, weights {self.asa.weights}, T = {self.ssa.timesteps}{rate}"

    @property
    def subtitle(self) -> str:
        """What was run on it, in one line for tables and pictures."""
        asa = self.asa
        return f"{asa.phase}, {asa.tokens:,} tokens, {asa.attention} attention"
