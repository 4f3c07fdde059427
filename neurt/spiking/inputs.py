"""Coders of what a block reads: one for all layers that read it, or one for each of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from neurt.spiking.coder import Coder
from neurt.spiking.codes import make_coder
from neurt.spiking.config import Coded, Coders, SpikingConfig
from neurt.spiking.synapse import Synapse


class CodesInput(nn.Module):
    """A block whose first layers all read the same analog values, as events.

    With one coder for all, `encoder`, a channel is silent for all of them or for none. With one for
    each, `encoders.LAYER`, each layer has zones for what it makes of the channel.
    """

    def add_encoders(
        self, layers: Sequence[str], channels: int, spiking: SpikingConfig, coded: Coded
    ) -> None:
        """Add the coders of layers by these names, which the block has as soon as it runs."""
        self._reading = tuple(layers)
        if spiking.coders is Coders.LAYER and len(layers) > 1:
            of_each = {name: make_coder(channels, spiking, coded) for name in layers}
            self.encoders = nn.ModuleDict(of_each)
        else:
            self.encoder = make_coder(channels, spiking, coded)

    @property
    def of_input(self) -> list[tuple[Coder, list[Synapse]]]:
        """The coders of the input, and the layers that each of them feeds."""
        layers: list[Synapse] = [getattr(self, name) for name in self._reading]
        own = self._modules.get("encoders")
        if isinstance(own, nn.ModuleDict):
            coders: list[Coder] = [own[name] for name in self._reading]  # type: ignore[misc]
            return [(coder, [layer]) for coder, layer in zip(coders, layers, strict=True)]
        return [(self.encoder, layers)]

    def currents(self, x: Tensor, *, stepwise: bool = False) -> list[Tensor]:
        """What the layers make of an analog input (..., C): one current each, in their order.

        Args:
            stepwise: They keep the time steps apart, so that each of them has the whole value, and
                not a share of it.
        """
        found = []
        for coder, layers in self.of_input:
            events, scale = coder.send(x, layers, stepwise=stepwise)
            found += [layer(events, scale) for layer in layers]
        return found


def fan_out(layers: Sequence[Synapse]) -> int:
    """Accumulates of one event that reaches all these layers."""
    return sum(layer.fan_out_weight.shape[1] for layer in layers)


def replaced_macs(layers: Sequence[Synapse]) -> int:
    """Multiply-accumulates per token of the dense layers in their place."""
    return sum(layer.fan_out_weight.numel() for layer in layers)
