"""Whole layers of Lemaire et al. 2022 that no run has, so that others' numbers can be met.

Convolutions, and synapses with their neurons. Equation numbers are those of arXiv 2210.13107. A
padded border is charged like any other place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from energy.literature.lemaire import LEMAIRE, Terms, Variant, neurons, synapses


@dataclass(frozen=True)
class Conv:
    """Shape of a convolution.

    Attributes:
        channels: Input and output channels (Ci, Co).
        sizes: Height and width of the input, then of the output (Hi, Wi, Ho, Wo).
        kernel: Side of the kernel.
        stride: Stride S.
        bias: Whether there is one.
    """

    channels: tuple[int, int]
    sizes: tuple[int, int, int, int]
    kernel: int
    stride: int = 1
    bias: bool = True

    @property
    def inputs(self) -> int:
        """Ci Hi Wi."""
        return self.channels[0] * prod(self.sizes[:2])

    @property
    def outputs(self) -> int:
        """Co Ho Wo."""
        return self.channels[1] * prod(self.sizes[2:])

    @property
    def weights(self) -> int:
        """Weights and biases."""
        return prod(self.channels) * self.kernel**2 + self.bias * self.channels[1]


def dense_conv(conv: Conv) -> Terms:
    """A convolution of analog values (Eqs. 1.1, 1.2, 3, 6, 11 and addressing)."""
    macs, biases = conv.outputs * conv.channels[0] * conv.kernel**2, conv.bias * conv.outputs
    return Terms(
        mac=macs,
        acc=biases,
        read_in=macs,
        read_weights=macs + biases,
        write_out=conv.outputs,
        address_acc=conv.inputs + conv.outputs + conv.channels[1] * conv.kernel**2,
        in_words=conv.inputs,
        weight_words=conv.weights,
        out_words=conv.outputs,
    )


def spiking_conv(
    conv: Conv,
    theta: int,
    theta_out: int,
    *,
    timesteps: int,
    leak: bool,
    variant: Variant = LEMAIRE,
) -> Terms:
    """A convolution fed by spikes, with its neurons (Eqs. 1.3, 1.4, 5, 7, 9, 13, 14, 16)."""
    updates, fan_out = timesteps * conv.outputs, conv.channels[1] * conv.kernel**2
    biases, reached = conv.bias * updates, -(-conv.kernel // conv.stride)
    return Terms(
        mac=leak * updates,
        acc=theta * reached**2 * conv.channels[1] + biases + theta_out,
        read_in=theta,
        read_weights=theta * fan_out + biases,
        potentials=theta * fan_out + updates,
        write_out=theta_out,
        address_mac=2 * theta,
        address_acc=theta * fan_out,
        in_words=variant.fifo_words,
        weight_words=conv.weights,
        potential_words=conv.outputs,
        out_words=variant.fifo_words,
    )


def spiking_linear(
    fan_in: int,
    fan_out: int,
    theta: int,
    theta_out: int,
    *,
    timesteps: int,
    leak: bool,
    bias: bool = True,
    variant: Variant = LEMAIRE,
) -> Terms:
    """A fully-connected layer fed by spikes, with its neurons: `synapses` and `neurons`."""
    updates = timesteps * fan_out
    before = synapses(fan_in, fan_out, theta, biases=bias * updates, variant=variant)
    after = neurons(updates, fan_out, theta_out, leak=leak, variant=variant)
    return replace(
        before,
        mac=after.mac,
        acc=before.acc + after.acc,
        potentials=before.potentials + after.potentials,
        write_out=after.write_out,
        out_words=after.out_words,
    )
