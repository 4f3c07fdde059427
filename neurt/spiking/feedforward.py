"""The feed-forward block on spikes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.activations import ACT2FN

from energy import Multiply
from neurt.families import family_of, read_shape
from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Coded, SpikingConfig
from neurt.spiking.fused import Call, run
from neurt.spiking.inputs import CodesInput, fan_out, replaced_macs
from neurt.spiking.neuron import SpikingNeuron
from neurt.spiking.synapse import Synapse, make_synapse
from neurt.spiking.unseen import AROUND, gated, unseen


class SpikingFeedForward(CodesInput):
    """A feed-forward block on spikes, with the parameters and the names of the analog one.

    analog input -> coder -> up -> activation -> coder -> down, and where there is a gate,
    analog input -> coder -> gate, up -> activation(gate) * up -> coder -> down.

    Activation and gate are evaluated on the accumulated currents, once per token, so that they
    stay exact and only the coding of their inputs and of their result is approximate.
    """

    def __init__(self, config: PretrainedConfig, spiking: SpikingConfig) -> None:
        super().__init__()
        family, shape = family_of(config.model_type), read_shape(config.to_dict(), "the model")
        self.layout = family.feedforward

        def synapse(fan_out: int, fan_in: int) -> Synapse:
            levels = spiking.code.levels
            return make_synapse(family.linear, fan_out, fan_in, levels, bias=shape.ffn_bias)

        self.add_encoders(self.layout.into_hidden, shape.width, spiking, Coded.FEEDFORWARD)
        for name in self.layout.into_hidden:
            self.add_module(name, synapse(shape.inner, shape.width))
        self.add_module(self.layout.activation, ACT2FN[shape.activation])
        if self.layout.gate is not None:
            self.multiply = Multiply()
        self.hidden_encoder = make_coder(shape.inner, spiking, Coded.FEEDFORWARD)
        self.add_module(self.layout.down, synapse(shape.width, shape.inner))
        self.dropout = nn.Dropout(getattr(config, "resid_pdrop", 0.0))  # of GPT-2

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Analog output (B, S, C) of analog input (B, S, C)."""
        down = getattr(self, self.layout.down)
        events, scale = self._hidden(down, *self.currents(hidden_states))
        out: Tensor = self.dropout(down(events, scale))
        return out

    def _hidden(self, down: Synapse, first: Tensor, *up: Tensor) -> tuple[Tensor, Tensor | None]:
        """The hidden values as events for the layer behind, of the gate first if there is one."""
        coder, activation = self.hidden_encoder, getattr(self, self.layout.activation)
        fused = coder.fused and first.dtype is torch.float32
        if fused and up and unseen(self.multiply):
            return coder.send(activation(first), [down], before=gated, operands=up)
        if fused and type(activation) in AROUND and unseen(activation) and not up:
            inside, function, outside = AROUND[type(activation)]
            made = run(Call(inside, (first,)))
            if made is not None:
                return coder.send(first, [down], before=outside, operands=(function(made),))
        hidden = activation(first)
        return coder.send(self.multiply(hidden, *up) if up else hidden, [down])

    @property
    def coded(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coders, and the layers that each of them feeds."""
        return [*self.of_input, (self.hidden_encoder, [getattr(self, self.layout.down)])]

    def fan_outs(self, _tokens: int) -> list[tuple[Coder, float]]:
        """The coders, and the accumulates that one event of each causes."""
        return [(coder, fan_out(layers)) for coder, layers in self.coded]

    def macs(self, tokens: int) -> int:
        """MACs per token of the analog block, however long the sequence."""
        return sum(macs for _, macs in self.drives(tokens))

    @property
    def weights_fed(self) -> list[tuple[SpikingNeuron, int]]:
        """The neurons, and how many weights the linear layers that they feed have."""
        return self.drives(1)  # each weight is used once per token

    def drives(self, tokens: int) -> list[tuple[SpikingNeuron, int]]:
        """The neurons, and the MACs per token that their events replace."""
        return [(coder, replaced_macs(layers)) for coder, layers in self.coded]
