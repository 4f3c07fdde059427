"""What the layers of Lemaire et al. 2022 do and move, by the equations of the paper.

arXiv 2210.13107; equation numbers are theirs, Ni and No are inputs and outputs, theta and theta_out
input and output spikes over all T time steps.
"""

from __future__ import annotations

from energy.literature.lemaire import LEMAIRE, Terms, Variant


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

    Args:
        fan_in: Inputs Ni.
        fan_out: Neurons No.
        theta: Input spikes.
        biases: Additions of a bias; T No in the paper, 0 without one.
        variant: Which reading of Eq. 2.4.
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
