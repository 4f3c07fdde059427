from __future__ import annotations

import pytest
import torch
from torch import nn

from energy.layers.trial import attempt, same, twin


def test_a_twin_has_other_tensors_and_leaves_the_layer_alone() -> None:
    layer = nn.Linear(2, 2, bias=False)
    own = layer.weight.detach().clone()
    calls: list[int] = []
    layer.register_forward_hook(lambda *_: calls.append(1))
    weight = torch.eye(2)
    out = attempt(type(layer).forward, twin(layer, {"weight": weight, "bias": weight}), weight)
    assert torch.equal(out, weight)
    assert torch.equal(layer.weight, own)
    assert calls == []
    assert layer.training
    assert not out.requires_grad


def test_a_twin_of_a_layer_without_weights_runs() -> None:
    layer = nn.Linear(2, 2, bias=False, device="meta")
    assert twin(layer, {"weight": torch.eye(2)}).weight.device.type == "cpu"
    assert layer.weight.device.type == "meta"


def test_what_a_twin_assigns_stays_with_it() -> None:
    class Remembers(nn.Module):
        seen = 0

        def forward(self, x: int) -> int:
            self.seen = x
            self.scale: torch.Tensor = torch.ones(1)
            return x

    layer = Remembers()
    layer.scale = nn.Buffer(torch.zeros(1))
    assert attempt(Remembers.forward, twin(layer, {}), 3) == 3
    assert (layer.seen, layer.scale.item()) == (0, 0)


@pytest.mark.parametrize("error", [TypeError, ValueError, RuntimeError, KeyError, AttributeError])
def test_arguments_that_do_not_fit_give_none(error: type[Exception]) -> None:
    def raises() -> None:
        raise error("no")

    assert attempt(raises) is None


def test_other_errors_are_not_hidden() -> None:
    def raises() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attempt(raises)


def test_same_wants_a_tensor_of_the_shape_and_values() -> None:
    one = torch.ones(2)
    assert same(one + 1e-7, one)
    assert not same(one + 1e-3, one)
    assert not same(torch.ones(1, 2), one)
    assert not same((one,), one)
    assert not same(None, one)
