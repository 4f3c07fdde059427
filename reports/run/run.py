"""What one run produced: everything a report needs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add

from energy import Counts, Estimate, estimate
from energy.bill.request import sum_of
from energy.compare.baselines import Baseline, baselines
from energy.words import unit_of
from hwmodels import Dataflow, HardwareProfile, load_profile, profile_names
from hwmodels.catalog import load_sibling
from hwmodels.pair import Machine, TwoMachines, side_of
from hwmodels.plain import several
from reports.kit.closeness import Closeness
from reports.run.steps import StepCount


@dataclass(frozen=True)
class Phase:
    """A part of a run that is billed by itself."""

    name: str  #: `prefill`, `decode` or `inference`
    asa: Counts  #: counts of the analog model
    ssa: Counts  #: counts of the spiking model
    generated: int = 1  #: tokens that come out of it for each sequence of the batch

    @property
    def tokens(self) -> int:
        """New tokens that it takes in for each sequence of the batch."""
        return self.asa.tokens // self.asa.batch


@dataclass(frozen=True, repr=False)
class Run:
    """One analog model, its spiking conversion, and the hardware they are priced on."""

    command: str  #: `profile` (measured) or `plan` (closed form at an assumed spike rate)
    asa: Counts  #: counts of the analog model
    ssa: Counts  #: counts of the spiking model
    profiles: tuple[Machine, ...]  #: hardware, in the order asked for; of two machines a pair
    settings: Mapping[str, object]  #: everything that was chosen, for `run.json`
    versions: Mapping[str, str]  #: software, for `run.json`
    created: str  #: when, in ISO format
    #: phases of a whole request, of which `asa` and `ssa` are the sums; empty for a run of one
    #: phase
    request: tuple[Phase, ...] = ()
    dataflow: Dataflow | None = None  #: how often operands move; None for what each profile says
    #: seconds that all of it takes, by variant; what is missing follows from the throughput of the
    #: profile, or is unknown
    latency_s: Mapping[str, float] = field(default_factory=dict)
    #: spikes of each layer of neurons in each time step; empty where nobody counted them
    steps: tuple[StepCount, ...] = ()
    #: INT8 prices of the hardware that has any, by the name of the profile
    int8: Mapping[str, HardwareProfile] = field(default_factory=dict)
    #: what both models predict of the text that was counted; None where nobody measured it, or
    #: weights are random
    quality: Closeness | None = None

    @property
    def of_network(self) -> bool:
        """Whether it is an inference of any network, and no pass of a language model."""
        return self.asa.phase == "inference"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its phases, in the order in which they run; at least one."""
        phase = self.asa.phase
        name = "decode" if phase.startswith("decode") else "prefill"
        name = phase if self.of_network else name
        return self.request or (Phase(name, self.asa, self.ssa),)

    @cached_property
    def phase_estimates(self) -> dict[str, tuple[tuple[Estimate, Estimate], ...]]:
        """Bills of the analog and of the spiking model for each phase, by profile name.

        Each phase lives in the memory that it needs, so its weights or its KV cache may be in
        another level than those of the phase before. A latency that was given is that of the
        whole run, so the static energy of one phase of several is unknown.
        """
        several = len(self.phases) > 1

        def bill(counts: Counts, machine: Machine) -> Estimate:
            given = self.latency_s.get(counts.variant)
            profile = side_of(machine, counts.variant)
            priced = estimate(counts, profile, dataflow=self.dataflow, latency_s=given)
            return priced.lasting(None) if several and given is not None else priced

        return {
            profile.name: tuple(
                (bill(phase.asa, profile), bill(phase.ssa, profile)) for phase in self.phases
            )
            for profile in self.profiles
        }

    @cached_property
    def estimates(self) -> dict[str, tuple[Estimate, Estimate]]:
        """Bills of the analog and of the spiking model, by profile name: the sum of the phases."""
        return {
            name: (
                sum_of([asa for asa, _ in bills], self.latency_s.get(self.asa.variant)),
                sum_of([ssa for _, ssa in bills], self.latency_s.get(self.ssa.variant)),
            )
            for name, bills in self.phase_estimates.items()
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
        if self.of_network:
            return f"{asa.phase}, {several(asa.tokens, unit_of(asa.phase))}"
        return f"{asa.phase}, {several(asa.tokens, 'token')}, {asa.attention} attention"

    @cached_property
    def baselines(self) -> dict[str, tuple[Baseline, ...]]:
        """What the spiking model is compared with, by profile name.

        INT8 prices are those of the run, else those of the catalogue for hardware of the catalogue;
        the comparison across precisions is there if the settings ask for it (`mixed`).
        """
        return {
            profile.name: baselines(
                [phase.asa for phase in self.phases],
                [phase.ssa for phase in self.phases],
                profile,
                int8=self.int8.get(own.name) or _catalogued(own, "int8"),
                mixed=bool(self.settings.get("mixed")),
                dataflow=self.dataflow,
                latency_s=self.latency_s,
                bills=self.estimates[profile.name],
            )
            for profile in self.profiles
            for own in (side_of(profile, "asa"),)
        }

    @property
    def is_of_two(self) -> bool:
        """Whether both models are priced on machines of their own anywhere."""
        return any(isinstance(profile, TwoMachines) for profile in self.profiles)

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"<run: {self.title}; {self.subtitle}>"


def _catalogued(profile: HardwareProfile, precision: str) -> HardwareProfile | None:
    """The same hardware at another precision; somebody's own chip is not the catalogue's."""
    if profile.name not in profile_names() or load_profile(profile.name) != profile:
        return None
    return load_sibling(profile.name, precision)


def merged(counts: Iterable[Counts], phase: str) -> Counts:
    """The counts of several passes of one model under one name, for example of all decode steps.

    Raises:
        ValueError: If they are not of the same model, counted in the same way.
    """
    return reduce(add, (replace(side, phase=phase) for side in counts))
