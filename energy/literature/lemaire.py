"""The energy model of Lemaire et al. 2022: arithmetic, addressing, and every access to local SRAM.

E. Lemaire et al., "An Analytical Estimation of Spiking Neural Networks Energy Efficiency", ICONIP
2022, arXiv 2210.13107; equation numbers in this file are theirs, Ni and No are inputs and outputs.
Each layer has memories of its own, sized by what they hold, and every access moves one 32-bit word
at a price that grows with the size of the memory.

Two variants. `lemaire-printed` takes the additions of a spiking fully-connected layer as Eq. 2.4
is printed: theta Ni No, where the text defines theta as the number of input spikes, so that each
is charged Ni times too often. `lemaire` takes theta No, as Eqs. 8, 10, 15 and 17 of the same paper
do, and adds the resets that Eq. 1.4 charges in a convolution and Eq. 2.4 forgets.

theta is the number of input spikes over all T time steps, theta_out of output spikes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from hwmodels import HardwareProfile, Op
from hwmodels.errors import UserError

#: Energy of one access to a memory of so many 32-bit words, in picojoules.
MemoryPrice = Callable[[int], float]

#: The work, as reports cite it.
SOURCE = "Lemaire et al., ICONIP 2022, arXiv 2210.13107"

#: Parts of the energy of a layer.
PARTS = ("operations", "addressing", "in_out", "weights", "potentials")

WORD_BYTES = 4
_CURVE = ((0, 0.0), (8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))


class LemaireError(UserError, ValueError):
    """The accounting of Lemaire et al. cannot be applied."""


def piecewise_pj(words: int) -> float:
    """45 nm SRAM of Horowitz (ISSCC 2014): 10, 20, 100 pJ at 8 KiB, 32 KiB, 1 MiB per 32-bit word.

    Linear between the points and to (0, 0), as SpikingJelly 2.0 reads the paper; a memory of more
    than 1 MiB is banks of 1 MiB.
    """
    size = min(words * WORD_BYTES, _CURVE[-1][0])
    for (x0, y0), (x1, y1) in pairwise(_CURVE):
        if size <= x1:
            return y0 + (y1 - y0) * (size - x0) / (x1 - x0)
    raise AssertionError(size)


def qualia_pj(words: int) -> float:
    """The line that Qualia (LEAT-EDGE, qualia-plugin-snn) fits: 1.09e-5 pJ per bit, and 13.2 pJ.

    It has a floor of 13.2 pJ where `piecewise_pj` goes to 0: small layers differ by a multiple. It
    has no ceiling, and says 13 nJ for one word of the head of GPT-2 small, far beyond what it fits.
    """
    return 1.09e-5 * words * WORD_BYTES * 8 + 13.2


#: Prices of memory by name.
MEMORIES: dict[str, MemoryPrice] = {"piecewise": piecewise_pj, "qualia": qualia_pj}


@dataclass(frozen=True)
class Costs:
    """What one operation and one access cost."""

    add_pj: float = 0.1  #: one addition in picojoules; default 45 nm int32 (Horowitz, ISSCC 2014)
    mul_pj: float = 3.1  #: one multiplication in picojoules; a multiply-accumulate costs both
    word_pj: MemoryPrice = piecewise_pj  #: one access to a memory, see `MEMORIES`

    @staticmethod
    def of(profile: HardwareProfile, memory: str = "piecewise") -> Costs:
        """Arithmetic of a profile, with a memory of the model.

        Raises:
            LemaireError: If the profile does not price `add` and `mul`, or no memory has that name.
        """
        if memory not in MEMORIES:
            raise LemaireError(f"memory '{memory}' is not known; known are {', '.join(MEMORIES)}")
        for op in (Op.ADD, Op.MUL):
            if op not in profile.prices:
                raise LemaireError(
                    f"profile '{profile.name}' has no price for '{op}', which the accounting of "
                    "Lemaire et al. needs; choose one that has both, such as 45nm-int32"
                )
        add, mul = (profile.prices[op].pj for op in (Op.ADD, Op.MUL))
        return Costs(add, mul, MEMORIES[memory])


@dataclass(frozen=True)
class Terms:
    """What one layer does in one inference, and how large the memories are that it goes to."""

    mac: float = 0  #: multiply-accumulates
    acc: float = 0  #: additions
    read_in: float = 0  #: words read of the input
    read_weights: float = 0  #: words read of weights and biases
    potentials: float = 0  #: words read of the membrane potentials, and as many written
    write_out: float = 0  #: words written of the output
    address_mac: float = 0  #: multiply-accumulates that compute addresses
    address_acc: float = 0  #: additions that compute addresses
    #: words appended to the stored operand (not in the paper: see `lemaire_bill`)
    append: float = 0
    in_words: int = field(default=0, kw_only=True)  #: size of the input memory in words
    #: size of the memory of weights and biases in words
    weight_words: int = field(default=0, kw_only=True)
    #: size of the memory of potentials in words
    potential_words: int = field(default=0, kw_only=True)
    out_words: int = field(default=0, kw_only=True)  #: size of the output memory in words

    def parts_pj(self, costs: Costs) -> dict[str, float]:
        """Energy by part of `PARTS`, in picojoules."""
        mac_pj = costs.add_pj + costs.mul_pj
        weights, word = self.read_weights + self.append, costs.word_pj
        return {
            "operations": self.acc * costs.add_pj + self.mac * mac_pj,
            "addressing": self.address_acc * costs.add_pj + self.address_mac * mac_pj,
            "in_out": self.read_in * word(self.in_words) + self.write_out * word(self.out_words),
            "weights": weights * word(self.weight_words),
            "potentials": 2 * self.potentials * word(self.potential_words),
        }

    def pj(self, costs: Costs) -> float:
        """Energy in picojoules."""
        return sum(self.parts_pj(costs).values())


@dataclass(frozen=True)
class Variant:
    """Choices between readings of the paper."""

    name: str  #: `lemaire` or `lemaire-printed`
    printed: bool = False  #: take Eq. 2.4 as printed: each input spike adds Ni No times
    resets: bool = True  #: charge one addition per output spike in a fully-connected layer, too
    #: spikes that the queues before and after a spiking layer hold (the paper: 1000)
    fifo_words: int = 1000


LEMAIRE = Variant("lemaire")
PRINTED = Variant("lemaire-printed", printed=True, resets=False)

#: The two accountings by name.
VARIANTS = {variant.name: variant for variant in (LEMAIRE, PRINTED)}


def dense_linear(fan_in: int, fan_out: int, *, rows: int = 1, bias: bool = True) -> Terms:
    """A fully-connected layer on `rows` vectors, one after another (Eqs. 2.1, 2.2, 4, 6, 12)."""
    macs, biases = rows * fan_in * fan_out, rows * bias * fan_out
    return Terms(
        mac=macs,
        acc=biases,
        read_in=rows * fan_in,
        read_weights=macs + biases,
        write_out=rows * fan_out,
        address_acc=macs,
        in_words=fan_in,
        weight_words=(fan_in + bias) * fan_out,
        out_words=fan_out,
    )


def synapses(
    fan_in: int, fan_out: int, theta: float, *, biases: float, variant: Variant = LEMAIRE
) -> Terms:
    """The half of a spiking fully-connected layer before its neurons (Eqs. 2.4, 5, 8, 10, 15, 17).

    `biases` are the additions of a bias: T No in the paper, 0 without one.
    """
    reached = theta * fan_out
    return Terms(
        acc=reached * (fan_in if variant.printed else 1) + biases,
        read_in=theta,
        read_weights=reached + biases,
        potentials=reached,
        address_acc=reached,
        in_words=variant.fifo_words,
        weight_words=(fan_in + bool(biases)) * fan_out,
        potential_words=fan_out,
    )


def neurons(
    updates: float, count: int, theta_out: float, *, leak: bool, variant: Variant = LEMAIRE
) -> Terms:
    """The other half: `updates` = T x `count` steps of neurons (Eqs. 2.3, 2.4, 10, 13, 15)."""
    return Terms(
        mac=leak * updates,
        acc=variant.resets * theta_out,
        potentials=updates,
        write_out=theta_out,
        potential_words=count,
        out_words=variant.fifo_words,
    )
