"""How good a spiking model is beside its analog one: the record of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from energy import Counts, Estimate, estimate
from energy.compare.baselines import Baseline, baselines
from hwmodels import Dataflow, HardwareProfile
from hwmodels.plain import several
from reports.kit.closeness import Closeness, Interval


@dataclass(frozen=True)
class Quality:
    """How well one model predicts a text."""

    tokens: int  #: tokens scored
    nll_nats: float  #: sum of their negative log-likelihoods
    correct: int  #: how many of them the model thought the likeliest

    @property
    def perplexity(self) -> float:
        """Exponential of the mean negative log-likelihood; infinite beyond a float's range."""
        try:
            return math.exp(self.nll_nats / self.tokens)
        except OverflowError:
            return math.inf

    @property
    def accuracy(self) -> float:
        """Share of tokens predicted, top-1 against the text."""
        return self.correct / self.tokens

    def change_from(self, other: Quality) -> float:
        """Perplexity over that of another model on the same tokens, minus 1.

        From the difference of the likelihoods: finite where both perplexities overflow, and exactly
        0 for equal models.
        """
        try:
            return math.expm1((self.nll_nats - other.nll_nats) / other.tokens)
        except OverflowError:
            return math.inf


@dataclass(frozen=True)
class LayerSimilarity:
    """How close a layer of the spiking model comes to the same layer of the analog one.

    Each model is fed by its own layers below, so errors add up from layer to layer. All are means
    over the positions that predict a scored token.
    """

    layer: int  #: index of the transformer layer
    cosine_residual: float  #: cosine similarity of the residual stream after the layer
    cosine_attention: float  #: of what the attention block adds to it
    cosine_feedforward: float  #: of what the feed-forward block adds to it
    error_residual: float  #: |spiking - analog| / |analog| of the residual stream after the layer
    error_attention: float  #: of what the attention block adds to it
    error_feedforward: float  #: of what the feed-forward block adds to it


@dataclass(frozen=True)
class MeasuredBaseline:
    """A twin of the analog model on the same windows; see `neurt.baselines`."""

    name: str  #: as it is asked for, such as `teal=0.4`
    kind: str  #: `w8a8`, `w4a16`, `zones`, `teal`, `wina` or `twin`
    number: float | None  #: its share, factor or bits; None where it has none
    quality: Quality  #: how well it predicts
    top1_agreement: float  #: share of scored tokens for which it and the analog model find the same
    kl_nats: float  #: mean KL(analog || baseline)
    #: those of the analog model on these windows, with the MACs whose input is zero where the
    #: baseline silences inputs
    counts: Counts
    #: sums over each window, from which follows how sure its change of perplexity is
    closeness: Closeness | None = None


@dataclass(frozen=True)
class Comparison:
    """An analog and a spiking model on the same windows of the same text."""

    analog: Quality  #: quality of the analog model
    spiking: Quality  #: quality of the spiking model
    #: share of scored tokens for which both find the same token the likeliest
    top1_agreement: float
    #: mean KL divergence of the spiking predictions from the analog ones, KL(analog || spiking)
    kl_nats: float
    cosine_final: float  #: mean cosine similarity of the final hidden states, after the last norm
    layers: tuple[LayerSimilarity, ...]  #: per transformer layer
    asa: Counts  #: counts of the analog model over exactly these passes
    ssa: Counts  #: counts of the spiking model over the same
    window: int  #: tokens per window
    stride: int  #: tokens from the start of a window to that of the next
    windows: int  #: number of windows
    baselines: tuple[MeasuredBaseline, ...] = ()  #: twins of the analog model, in the order asked
    #: sums over each window, in the order of the text, from which follows how sure the change is
    closeness: Closeness | None = None

    @property
    def change_interval(self) -> Interval | None:
        """Where the change of perplexity lies in 95 % of texts made of the same windows."""
        return self.closeness.change_interval if self.closeness else None

    @property
    def kl_interval(self) -> Interval | None:
        """Where the mean KL divergence lies in them."""
        return self.closeness.kl_interval if self.closeness else None

    @property
    def perplexity_change(self) -> float:
        """Perplexity of the spiking model over that of the analog one, minus 1."""
        return self.spiking.change_from(self.analog)


@dataclass(frozen=True)
class Evaluation:
    """One comparison, and what must be known to read it."""

    comparison: Comparison  #: what was measured
    conversion: Mapping[str, object]  #: choices of the conversion, by name, plain values
    text: str  #: what was read
    profiles: tuple[HardwareProfile, ...]  #: hardware, in the order asked for
    settings: Mapping[str, object]  #: everything that was chosen, for `run.json`
    versions: Mapping[str, str]  #: software, for `run.json`
    created: str  #: when, in ISO format
    dataflow: Dataflow | None = None  #: how often operands move; None for what each profile says
    #: the same hardware at another precision (`int8`, `fp16`), by the name of the profile and that
    at: Mapping[tuple[str, str], HardwareProfile] = field(default_factory=dict)

    @cached_property
    def estimates(self) -> dict[str, tuple[Estimate, Estimate]]:
        """Bills of the analog and of the spiking model, by profile name."""
        compared = self.comparison
        return {
            profile.name: (
                estimate(compared.asa, profile, dataflow=self.dataflow),
                estimate(compared.ssa, profile, dataflow=self.dataflow),
            )
            for profile in self.profiles
        }

    @cached_property
    def twins(self) -> dict[str, Baseline]:
        """The spiking model beside the quantised twin of the analog one, by profile name."""
        compared = self.comparison
        return {
            profile.name: next(
                baseline
                for baseline in baselines(
                    [compared.asa], [compared.ssa], profile, int8=None, dataflow=self.dataflow
                )
                if baseline.name == "twin"
            )
            for profile in self.profiles
        }

    @property
    def title(self) -> str:
        """The two models, in one line for tables and pictures."""
        ssa, asa = self.comparison.ssa, self.comparison.asa
        beside = "" if asa.weights == ssa.weights else f" (analog: {asa.weights})"
        how = self.conversion
        second = how.get("resolution", 1)
        zones = "" if second == 1 else f", digits to {second} of the dead zone"
        head = ", coded head" if how.get("head") else ""
        return (
            f"{ssa.model}, weights {ssa.weights}{beside}, {how['form']} attention, {how['code']} "
            f"feed-forward, T = {ssa.timesteps}{zones}{head}"
        )

    @property
    def subtitle(self) -> str:
        """What they read, in one line for tables and pictures."""
        compared = self.comparison
        return (
            f"{self.text}: {several(compared.analog.tokens, 'token')} scored, window "
            f"{compared.window}, stride {compared.stride}"
        )
