"""Parameters, gradients and optimiser spread over the processes of a training (FSDP2).

What is asked of `accelerate launch --use_fsdp --fsdp_version 2` (or of a configuration of
Accelerate) is done by Accelerate and PyTorch. Here is what they cannot know: which modules are
gathered together, and that the models of a training are whole again when it ends.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import Tensor, nn
from torch.distributed import DistError
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from hwmodels.errors import UserError
from neurt.families import family_of

#: What `accelerate launch` tells the processes that it starts.
_ASKED, _VERSION = "ACCELERATE_USE_FSDP", "FSDP_VERSION"


class ShardingError(UserError, ValueError):
    """A training that cannot be sharded as it is asked to be."""


class LostProcessError(UserError, RuntimeError):
    """A process that trained with this one, and is no more."""


@contextmanager
def said_if_lost() -> Iterator[None]:
    """Say in a line inside the block that another process is gone.

    Raises:
        LostProcessError: If whoever talks to it finds out.
    """
    try:
        yield
    except RuntimeError as error:  # gloo has no errors of its own
        if not isinstance(error, DistError) and "gloo" not in str(error):
            raise
        raise LostProcessError(
            "another process of this training is gone; the last checkpoint is whole, continue it "
            "with --resume, in any number of processes"
        ) from error


def load_whole() -> None:
    """Let each process load all weights: a conversion is calibrated on them in each.

    Under FSDP, transformers would else give weights to the first process alone, and others memory
    as it happens to be.
    """
    if _asked():
        os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"


def accelerated() -> Accelerator:
    """Accelerate, as it was launched; sharded on CPUs too, where it would not listen by itself.

    Raises:
        ShardingError: If FSDP of version 1 is asked for.
    """
    load_whole()
    if _asked() and os.environ.get(_VERSION, "1") != "2":  # before Accelerate tries it
        raise ShardingError(
            "FSDP of version 1 knows no parameter by its own name, which checkpoints need; give "
            "accelerate launch --fsdp_version 2"
        )
    accelerator = Accelerator()
    if accelerator.distributed_type is DistributedType.MULTI_CPU and _asked():
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        # Both have it, and the one is read into the other.
        for state in (accelerator.state, PartialState()):
            state.distributed_type = DistributedType.FSDP
    return accelerator


def _asked() -> bool:
    return os.environ.get(_ASKED, "false").lower() == "true"


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether each process holds a part of each parameter."""
    return bool(accelerator.distributed_type is DistributedType.FSDP)


def shardable(objective: nn.Module, accelerator: Accelerator) -> nn.Module:
    """A copy of an objective that can be sharded, and how it will be, told to Accelerate.

    It is a copy, because a sharded module never becomes whole again. Modules of the classes that
    the objective names (`gathered`) are gathered one at a time, all else together. A frozen
    parameter that modules of two such parts share becomes two, which FSDP asks for.

    Raises:
        ShardingError: If a parameter that learns is shared by two such parts.
    """
    module = copy.deepcopy(objective)
    classes: Sequence[type[nn.Module]] = getattr(objective, "gathered", ())
    # No layer of transformers adds in place to what a block returns.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")
    plugin = accelerator.state.fsdp_plugin
    plugin.auto_wrap_policy = transformer_auto_wrap_policy
    plugin.transformer_cls_names_to_wrap = sorted({each.__name__ for each in classes})
    part_of: dict[nn.Module, nn.Module] = {}
    for part in [*(x for x in module.modules() if isinstance(x, tuple(classes))), module]:
        for inner in part.modules():
            part_of.setdefault(inner, part)
    first: dict[nn.Parameter, nn.Module] = {}
    for inner, part in part_of.items():
        for name, parameter in list(inner.named_parameters(recurse=False)):
            if first.setdefault(parameter, part) is part:
                continue
            if parameter.requires_grad:
                raise ShardingError(
                    f"parameter '{name}' learns, and is shared by {type(part).__name__} and "
                    f"{type(first[parameter]).__name__}, which FSDP cannot shard; train without "
                    "--use_fsdp, or leave it out of --train"
                )
            own = nn.Parameter(parameter.detach().clone(), requires_grad=False)
            inner.register_parameter(name, own)
    return module


def blocks_of(model: PreTrainedModel) -> list[type[nn.Module]]:
    """The classes of the attention and feed-forward blocks of a model.

    An objective that is sharded gathers these one at a time: whoever calls one, as stage 1 of a
    fine-tuning does, finds its parameters whole.
    """
    family = family_of(model.config.model_type)
    paths = [block.path for block in (family.attention, family.feedforward) if block.path]
    layers = list(model.get_submodule(family.layers).children())
    return [type(layer.get_submodule(path)) for layer in layers[:1] for path in paths]


def trained_in(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a module that require a gradient, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


@torch.no_grad()
def gather(shards: Mapping[str, nn.Parameter], whole: Mapping[str, nn.Parameter]) -> None:
    """Copy parameters from their shards, in all processes at once, one parameter at a time."""
    for name, parameter in whole.items():
        parameter.copy_(as_whole(shards[name]))


def as_whole(x: Tensor) -> Tensor:
    """A tensor of which each process has a part; gathered in all of them at once."""
    return x.full_tensor() if isinstance(x, DTensor) else x


def as_part(x: Tensor, like: Tensor) -> Tensor:
    """The part of a whole tensor that this process has of another of the same shape."""
    if not isinstance(like, DTensor) or x.shape != like.shape:
        return x.to(like.device)
    x = x.to(like.to_local().device)
    return distribute_tensor(x, like.device_mesh, like.placements, src_data_rank=None)
