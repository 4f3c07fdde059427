"""An evaluation's baselines: quality and bill of each, and what the spiking model saves from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from energy import Counts, Estimate, estimate, saving
from energy.compare.baselines import sparse_counts
from energy.compare.fetched import weight_bytes
from energy.compare.quantised import w4_bits, w4a16, w8_bits, w8a8
from energy.compare.twin import twin_counts
from energy.counts import LayerCount
from energy.words import op_names
from hwmodels import HardwareProfile
from reports.kit.closeness import Interval
from reports.quality.evaluation import Evaluation, MeasuredBaseline, Quality

#: Bits of a weight of a layer, with its share of scales.
_BITS: Mapping[str, Callable[[LayerCount], float]] = {
    **dict.fromkeys(("w8a8", "spiking-w8"), w8_bits),
    **dict.fromkeys(("w4a16", "spiking-w4"), w4_bits),
}
#: The spiking model that a saving from a baseline is of, where it is not the one evaluated.
_PARTNERS = {"w8a8": "spiking-w8", "w4a16": "spiking-w4"}


class Scores(NamedTuple):
    """How well a model predicts, beside the analog model on the same tokens."""

    quality: Quality  #: how well it predicts by itself
    kl_nats: float  #: mean KL divergence of its predictions from those of the analog model
    #: share of tokens for which it finds the same token the likeliest
    top1_agreement: float
    #: where its change of perplexity lies in 95 % of texts made of the same windows
    change_interval: Interval | None


class Billed(NamedTuple):
    """What a baseline is priced as."""

    counts: Counts
    profile: HardwareProfile
    note: str  #: what to know of it


@dataclass(frozen=True)
class BaselineLine:
    """A baseline on one piece of hardware; the analog and the spiking model stand among them."""

    evaluation: Evaluation
    profile: HardwareProfile
    #: which of them; None for the analog model itself, or for the spiking one
    measured: MeasuredBaseline | None
    is_spiking: bool = False

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.name if self.measured is None else self.measured.kind

    @property
    def name(self) -> str:
        """As it is asked for."""
        if self.measured is not None:
            return self.measured.name
        return "spiking" if self.is_spiking else "analog"

    @cached_property
    def scores(self) -> Scores:
        """How well it predicts, and how far from the analog model it is."""
        compared, of = self.evaluation.comparison, self.measured
        if of is not None:
            interval = None if of.closeness is None else of.closeness.change_interval
            return Scores(of.quality, of.kl_nats, of.top1_agreement, interval)
        if self.is_spiking:
            kl, top1 = compared.kl_nats, compared.top1_agreement
            return Scores(compared.spiking, kl, top1, compared.change_interval)
        return Scores(compared.analog, 0.0, 1.0, None)

    @property
    def perplexity_change(self) -> float:
        """Its perplexity over that of the analog model, minus 1."""
        return self.scores.quality.change_from(self.evaluation.comparison.analog)

    @cached_property
    def billed(self) -> Billed | str:
        """Its counts, and the machine that they are priced on; or why it has no bill."""
        compared = self.evaluation.comparison
        if self.measured is None:
            return Billed(compared.ssa if self.is_spiking else compared.asa, self.profile, "")
        counts, kind = self.measured.counts, self.measured.kind
        if kind in ("w8a8", "spiking-w8"):
            int8 = self._at("int8")
            if int8 is None:
                return f"no INT8 prices for {self.profile.name}"
            return Billed(*w8a8(counts, int8), f"arithmetic of {int8.name}")
        if kind in ("w4a16", "spiking-w4"):
            fp16 = self._at("fp16") or self.profile
            return Billed(*w4a16(counts, fp16), f"arithmetic of {fp16.name}")
        if kind == "twin":
            bits = int(self.measured.number or 0)
            narrow = twin_counts(compared.asa, compared.ssa, self.profile, bits)
            return Billed(narrow, self.profile, f"{bits}-bit activations where spikes are")
        return Billed(sparse_counts(counts), self.profile, "a product with zero is not executed")

    def _at(self, precision: str) -> HardwareProfile | None:
        """The hardware at another precision, or itself where it is its own."""
        own = self.profile.precision == precision
        return self.profile if own else self.evaluation.at.get((self.profile.name, precision))

    @cached_property
    def bill(self) -> Estimate | None:
        """Its bill on exactly these windows; None where it has none."""
        if isinstance(self.billed, str):
            return None
        counts, profile, _ = self.billed
        return estimate(counts, profile, dataflow=self.evaluation.dataflow)

    @property
    def note(self) -> str:
        """What to know of its bill, or why it has none."""
        return self.billed if isinstance(self.billed, str) else self.billed.note

    @property
    def precision(self) -> str:
        """Number format of its arithmetic."""
        return "" if self.bill is None else self.bill.profile.precision

    def token_pj(self, accounting: str) -> float | None:
        """Energy per token read, in picojoules; None where a MAC or an accumulate has no price."""
        if self.bill is None:
            return None
        pj = saving(self.bill, self.bill, accounting).asa_pj
        return None if pj is None else pj / self.evaluation.comparison.asa.tokens

    @cached_property
    def weight_bytes(self) -> float:
        """Bytes of weights that one token fetches in decode at batch 1."""
        compared = self.evaluation.comparison
        counts = compared.ssa if self.is_spiking else compared.asa
        if self.measured is not None:
            counts = self.measured.counts
        return weight_bytes(counts, self.profile, _BITS.get(self.kind))

    @cached_property
    def partner(self) -> BaselineLine:
        """The spiking model that is compared with it: one with the same weights, where there is."""
        measured = self.evaluation.comparison.baselines
        same = next((x for x in measured if x.kind == _PARTNERS.get(self.kind)), None)
        return BaselineLine(self.evaluation, self.profile, same, is_spiking=True)

    def saving(self, accounting: str) -> float | None:
        """What the spiking model saves from it; None for itself, or where a side has no energy."""
        if self.is_spiking or self.bill is None or self.partner.bill is None:
            return None
        return saving(self.bill, self.partner.bill, accounting).saving

    @property
    def weight_bytes_saving(self) -> float | None:
        """What the spiking model saves of the bytes of weights in decode at batch 1."""
        if self.is_spiking or not self.weight_bytes:
            return None
        return 1 - self.partner.weight_bytes / self.weight_bytes

    @property
    def unpriced(self) -> str:
        """Operations on either side that have no price."""
        if self.bill is None or self.partner.bill is None:
            return ""
        return op_names(saving(self.bill, self.partner.bill, "fused").unpriced)


def lines(evaluation: Evaluation, profile: HardwareProfile) -> list[BaselineLine]:
    """The analog model, the baselines, and the spiking model."""
    found = [BaselineLine(evaluation, profile, None)]
    for each in evaluation.comparison.baselines:
        found.append(BaselineLine(evaluation, profile, each, each.kind in _PARTNERS.values()))
    return [*found, BaselineLine(evaluation, profile, None, is_spiking=True)]
