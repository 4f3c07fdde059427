"""Layers whose weights are tensors that say themselves what operations do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._pytree import tree_map_only

from energy import Counts, UncountedOperation, count_pass


class Packed(Tensor):
    """A weight in 8 bits with one scale, that is no memory of its own, as those of torchao."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __init__(self, weight: Tensor) -> None:
        self.scale = weight.abs().max() / 127
        self.packed = (weight / self.scale).round().to(torch.int8)

    @staticmethod
    def __new__(cls, weight: Tensor) -> Packed:
        made: Packed = Tensor._make_wrapper_subclass(cls, weight.shape, dtype=weight.dtype)
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return args[0]
        dense = tree_map_only(Packed, lambda x: x.packed * x.scale, (args, kwargs or {}))
        return func(*dense[0], **dense[1])


@pytest.fixture(params=[1, 2])
def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeviceMesh]:
    """One process, or the first of two whose other one does not exist."""
    if request.param == 1:
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/m", rank=0, world_size=1)
    else:
        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield init_device_mesh("cpu", (request.param,))
    dist.destroy_process_group()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4))


def counted(model: nn.Module, x: Tensor) -> Counts:
    return count_pass(model, lambda: model(x), variant="analog")


X = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))


def tallies(counts: Counts) -> list[Any]:
    return [layer.tally for layer in counts.layers]


def distributed(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            shared = distribute_tensor(weight.detach(), mesh, [Shard(0)])
            module.register_parameter(name, nn.Parameter(shared))
    return model


def test_sharded_weights_are_counted_as_whole_ones(mesh: DeviceMesh) -> None:
    expected = counted(network(), X)
    assert [tally.dense_macs for tally in tallies(expected)][::3] == [3 * 8 * 16, 3 * 16 * 4]
    found = counted(distributed(network(), mesh), distribute_tensor(X, mesh, [Replicate()]))
    assert tallies(found) == tallies(expected)


def test_weights_that_fsdp_gathers_are_counted_as_whole_ones(mesh: DeviceMesh) -> None:
    model = network()
    fully_shard(model[0], mesh=mesh)
    fully_shard(model, mesh=mesh)
    found = counted(model, X)
    assert tallies(found) == tallies(counted(network(), X))
    assert not found.uncounted  # gathering moves data and computes nothing


def test_the_part_of_one_process_is_refused(mesh: DeviceMesh) -> None:
    model = parallelize_module(network(), mesh, {"0": ColwiseParallel(), "3": RowwiseParallel()})
    if mesh.size() == 1:
        assert tallies(counted(model, X)) == tallies(counted(network(), X))
        return
    with pytest.raises(UncountedOperation, match=r"^layer '0' is split over 2 processes"):
        counted(model, X)


def test_plain_operands_of_sharded_weights_are_an_error_of_torch(mesh: DeviceMesh) -> None:
    # Without dispatch, memory that is not there was read, and the process ended.
    with pytest.raises(RuntimeError, match=r"mixed torch\.Tensor and DTensor"):
        counted(distributed(network(), mesh), X)
    assert tallies(counted(network(), X))  # nothing is left behind


def test_packed_weights_are_counted_as_dense_ones() -> None:
    model, expected = network(), network()
    for layer in (model[0], model[3]):
        layer.weight = nn.Parameter(
            Packed(layer.get_parameter("weight").detach()), requires_grad=False
        )
    found = counted(model, X)
    assert tallies(found) == tallies(counted(expected, X))
    with torch.no_grad():
        # Rounded to steps of scale: half a step of each weight, scale = max |w| / 127.
        assert torch.allclose(model(X), expected(X), atol=0.05)
        assert not torch.equal(model(X), expected(X))
