"""Where the literature says that spikes stop paying, and the formulas that can be computed."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodels import Evidence

_YAN = 'Yan, Bai, Tang & Wong, "Reconsidering the Energy Efficiency of Spiking Neural Networks", '


@dataclass(frozen=True)
class Threshold:
    """A break-even of the literature in spikes per synapse per inference."""

    name: str  #: who says so
    key: str  #: the same as the name of a column
    low: float  #: its lowest value, which depends on what it is compared with
    high: float  #: its highest value; the same for a single number
    source: str
    evidence: Evidence  #: how far this project can vouch for it
    note: str  #: what it was derived for

    def stands(self, spikes_per_synapse: float) -> str:
        """Whether so many spikes per synapse are below, within or above it."""
        if spikes_per_synapse < self.low:
            return "below"
        return "within" if spikes_per_synapse < self.high else "above"


@dataclass(frozen=True)
class PublishedRate:
    """A break-even spike rate that Yan et al. print."""

    weight_bits: int  #: bits of a weight
    timesteps: int  #: time steps T
    rate: float  #: spikes per neuron and time step

    @property
    def spikes_per_synapse(self) -> float:
        """The same in spikes per synapse: T x rate."""
        return self.timesteps * self.rate


#: As printed in version 4; version 3 of the paper prints 0.064 for the first.
YAN_RATES = (
    PublishedRate(4, 5, 0.057),
    PublishedRate(4, 2, 0.104),
    PublishedRate(8, 3, 0.082),
    PublishedRate(8, 2, 0.123),
    PublishedRate(8, 1, 0.297),
)

THRESHOLDS = (
    Threshold(
        "Davidson & Furber 2021",
        "davidson_furber_2021",
        1.72,
        1.72,
        'Davidson & Furber, "Comparison of Artificial and Spiking Neural Networks on Digital '
        'Hardware", Front. Neurosci. 15:651141, 2021',
        Evidence.UNVERIFIED,
        "rate-coded network against the same network with MACs, digital, same technology",
    ),
    Threshold(
        "Dampfhoffer et al. 2023",
        "dampfhoffer_2023",
        0.15,
        1.38,
        'Dampfhoffer et al., "Are SNNs Really More Energy-Efficient Than ANNs? an In-Depth '
        'Hardware-Aware Study", IEEE TETCI 7(3):731-741, 2023',
        Evidence.UNVERIFIED,
        "from a sparse to a dense analog baseline; memory included; formulas were not at hand",
    ),
    Threshold(
        "Yan et al. 2024 (T x rate)",
        "yan_2024",
        min(published.spikes_per_synapse for published in YAN_RATES),
        max(published.spikes_per_synapse for published in YAN_RATES),
        _YAN + "arXiv 2409.08290v4",
        Evidence.UNVERIFIED,
        "five printed rates times their T (the product is ours); against a quantised twin of "
        "ceil(log2(T + 1)) bits, with data movement, 22 nm",
    ),
)


def compute_only_rate(mac_per_ac: float, timesteps: int, sparsity: float = 0.0) -> float:
    """Break-even spike rate of arithmetic alone: rate < k (1 - sparsity) / T.

    k is the price of a MAC over that of an AC, and the analog side skips a share of zero
    activations (`sparsity`).

    Source: Yan et al., arXiv 2409.08290, compute-only condition.
    """
    return mac_per_ac * (1 - sparsity) / timesteps


def compute_only_needs(timesteps: int) -> dict[str, float]:
    """The k = MAC / AC from which T binary spikes never cost more arithmetic than the twin's MACs.

    A value that is sent in T steps takes between 1 and T spikes, so the rate of the active neurons
    lies between 1 / T (best: k >= 1) and 1 (worst: k >= T), in the mean (1 + 1 / T) / 2
    (k >= (1 + T) / 2).

    Source: Yan et al., arXiv 2409.08290, compute-only condition.
    """
    return {"best": 1.0, "average": (1 + timesteps) / 2, "worst": float(timesteps)}
