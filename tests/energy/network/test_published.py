"""Spiking networks of the literature, as SpikingJelly has them, and what was printed of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from energy import count_module
from energy.network.count import Asked, count_network
from hwmodels import Op

pytest.importorskip("spikingjelly", reason="needs spikingjelly 2.0, see the README")
from spikingjelly.activation_based import functional, neuron, surrogate

T = 4


@pytest.fixture(autouse=True)
def _without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its residual networks import a downloader from torchvision, and use it for nothing here.
    if "torchvision" not in sys.modules:
        downloads: Any = ModuleType("torchvision._internally_replaced_utils")
        downloads.load_state_dict_from_url = None
        monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
        monkeypatch.setitem(sys.modules, downloads.__name__, downloads)


def model(file: str, name: str, **how: Any) -> Any:
    made = getattr(import_module(f"spikingjelly.activation_based.model.{file}"), name)(**how)
    functional.set_step_mode(made, "m")
    for module in made.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.constant_(module.bias, 1.2)  # so that random weights fire
    return made.eval()


RESIDUAL: dict[str, Any] = {
    "pretrained": False,
    "spiking_neuron": neuron.IFNode,
    "surrogate_function": surrogate.ATan(),
}
SMALL: dict[str, Any] = {"T": T, "embed_dims": 64, "num_heads": 4, "depths": 2}
#: What makes each network, and whether its input has time steps.
NETWORKS: dict[str, tuple[Callable[[], Any], bool]] = {
    "SEW-ResNet-18": (lambda: model("sew_resnet", "sew_resnet18", cnf="ADD", **RESIDUAL), True),
    "SEW-ResNet-50": (lambda: model("sew_resnet", "sew_resnet50", cnf="ADD", **RESIDUAL), True),
    "SEW-ResNet-18, IAND": (
        lambda: model("sew_resnet", "sew_resnet18", cnf="IAND", **RESIDUAL),
        True,
    ),
    "Spiking ResNet-18": (lambda: model("spiking_resnet", "spiking_resnet18", **RESIDUAL), True),
    "MS-ResNet-18": (lambda: model("ms_resnet", "ms_resnet18"), True),
    "spiking VGG-11": (lambda: model("spiking_vgg", "spiking_vgg11_bn", **RESIDUAL), True),
    "Spikformer": (
        lambda: model("spikformer", "Spikformer", img_size_h=64, img_size_w=64, **SMALL),
        False,
    ),
    "Spike-driven Transformer": (
        lambda: model("spike_driven_transformer", "SpikeDrivenTransformer", **SMALL),
        False,
    ),
    "QKFormer": (
        lambda: model(
            "qkformer", "QKFormer", T=T, embed_dims=96, num_heads=(1, 2, 4), depths=(1, 1, 2)
        ),
        False,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_run_as_they_come(name: str) -> None:
    make, timed = NETWORKS[name]
    net, x = make(), torch.rand(*([T] if timed else []), 1, 3, 64, 64)
    counted = count_network(net, (x,), Asked(padding="charged"))
    ssa = counted.ssa
    assert (ssa.timesteps, ssa.batch, counted.assumed) == (T, 1, ())
    assert (ssa.spike_rate or 0) > 0
    # Products with the borders charged are those that torch's own counter sees.
    functional.reset_net(net)
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        net(x)
    assert ssa.dense_macs == flops.get_total_flops() // 2
    # MACs are left in the layer that takes the image, and behind what pools spikes to means; the
    # shortcuts of MS-ResNet are membrane potentials.
    dense = [row.name for row in ssa.layers if row.tally.ops.get(Op.MAC)]
    allowed = ("conv1", "fc", "head", "stem", "patch_embed", "features.0", "classifier.0")
    shortcuts = [x for x in dense[1:-1] if "downsample" not in x]
    assert dense[0].startswith(allowed)
    assert shortcuts == []
    # Every layer runs in each step but a head behind the mean over time, which runs once.
    head = counted.asa.layer(dense[-1]).tally.dense_macs
    rest = counted.asa.dense_macs - head
    assert ssa.dense_macs - ssa.layer(dense[-1]).tally.dense_macs == T * rest
    assert ssa.layer(dense[-1]).tally.dense_macs in (head, T * head)


def test_residual_networks_have_the_macs_of_their_analog_ones() -> None:
    net = model("sew_resnet", "sew_resnet18", cnf="ADD", **RESIDUAL)
    x = torch.rand(1, 1, 3, 224, 224)  # one step is all that it takes
    counts = count_module(net, x, padding="charged", timesteps=1)
    # ResNet-18 at 224 x 224: 1.814 GMAC in convolutions and head; syops prints 1.82, with norms.
    assert counts.dense_macs == 1_814_073_344
    assert counts.layer("conv1").tally.ops[Op.MAC] == 112 * 112 * 7 * 7 * 3 * 64
    # Without the border it is less work, analog and spiking alike.
    assert count_module(net, x, timesteps=1).dense_macs < 0.96 * 1_814_073_344


def test_the_first_layer_of_spikformer_8_512_has_the_printed_macs() -> None:
    stem = model("spikformer", "SpikformerPatchStem", embed_dims=512)
    first = count_module(stem, torch.rand(T, 1, 3, 224, 224), padding="charged").layers[0].tally
    # The energy log of Spikingformer: 347,329,512 MACs, of which 513,000 are the head with its
    # bias (512 x 1000 + 1000); the rest is this layer, in 4 time steps.
    assert first.ops[Op.MAC] == 346_816_512 == 347_329_512 - 513_000
