"""What one step of the neurons of other libraries is made of, by the equation that they follow.

The equations are those of the classes of snnTorch 1.0, SpikingJelly 2.0 and Norse 1.1; a reset is
one addition, whether it subtracts the threshold or selects another value, and constants such as
1 / tau or v_leak = 0 are folded. What a kind has beside another one is spelled in its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hwmodels import Op


class Dynamics(NamedTuple):
    """What one neuron does in one time step."""

    adds: int  #: additions and subtractions
    muls: int  #: multiplications
    cmps: int  #: comparisons
    states: int = 1  #: values that it keeps from step to step
    exps: int = 0  #: exponentials
    divs: int = 0  #: divisions

    def ops(self, updates: int) -> Mapping[Op, int]:
        """The operations of so many neurons x time steps."""
        each = (self.adds, self.muls, self.cmps, self.exps, self.divs)
        return {op: updates * n for op, n in zip(_OPS, each, strict=True) if n}


_OPS = (Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP, Op.EXP, Op.DIV)

#: By name; the analog ones fire no spikes, so they have no threshold and no reset.
DYNAMICS = {
    #: v + x; threshold; reset
    "IF": Dynamics(2, 0, 1),
    #: v + (x - v) / tau: difference, leak, sum; threshold; reset
    "LIF": Dynamics(3, 1, 1),
    #: beta v + x; threshold; reset (a learned tau is a constant once it is learned)
    "leaky": Dynamics(2, 1, 1),
    #: LIF, times k; what is negative is cut; threshold; reset
    "KLIF": Dynamics(3, 2, 2),
    #: leaky, times k; what is negative is cut; threshold; reset
    "whole KLIF": Dynamics(2, 2, 2),
    #: i = alpha i + x, v = beta v + i; threshold; reset
    "synaptic": Dynamics(3, 2, 1, 2),
    #: i = i + x, v = v + a (i - v), i = b i; threshold; reset
    "current": Dynamics(4, 2, 1, 2),
    #: the same with a counter of refractory steps: one subtraction, one comparison
    "refractory": Dynamics(5, 2, 2, 3),
    #: e = a e + x, h = b h - x, v = c (e + h); threshold; reset
    "alpha": Dynamics(4, 3, 1, 3),
    #: LIF; w = w + (a v - w) / tau_w: product, difference, leak, sum; v - w; b more at a spike
    "adaptive": Dynamics(7, 3, 1, 2),
    #: current; b = b + c (v_th - b): difference, product, sum; beta more at a spike
    "threshold-adaptive": Dynamics(7, 3, 1, 3),
    #: v + (x + a (v - v_rest) (v - v_c)) / tau: 2 differences, 2 sums, 3 products; threshold; reset
    "quadratic": Dynamics(5, 3, 1),
    #: quadratic; w as in adaptive
    "izhikevich": Dynamics(9, 5, 1, 2),
    #: LIF; d exp((v - v_t) / d): difference, 2 products, exponential, sum
    "exponential": Dynamics(5, 3, 1, 1, 1),
    #: current; the exponential of the line above
    "exponential current": Dynamics(6, 4, 1, 2, 1),
    #: adaptive; the same exponential
    "adaptive exponential": Dynamics(9, 5, 1, 3, 1),
    #: c = s(f) c + s(i) t(g), h = s(o) t(c): s(x) = 1 / (1 + exp(-x)) (addition, exponential,
    #: division) three times, t (2 additions, product, exponential, division) twice; threshold;
    #: reset. Its products with weights are rows of their own
    "LSTM": Dynamics(9, 5, 1, 2, 5, 5),
    #: one comparison with a random number or a time: an encoder of inputs
    "encoder": Dynamics(0, 0, 1, 0),
    #: what there is of it is in other rows
    "threshold": Dynamics(0, 0, 1, 0),
    "analog IF": Dynamics(1, 0, 0),
    "analog LIF": Dynamics(2, 1, 0),
    "analog leaky": Dynamics(1, 1, 0),
    "analog current": Dynamics(3, 2, 0, 2),
}
