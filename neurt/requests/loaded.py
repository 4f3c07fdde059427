"""What may be asked of a command that runs a model: weights, device, precision. No torch.

Whoever resolves the two words is `neurt.loading.placement`.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from hwmodels.plain import quoted, shortened
from neurt.loading.source import SHIPPED, SMOLLM2
from neurt.requests.base import Flag, Model, Request, RequestError, Seed

_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:(0|[1-9][0-9]{0,2}))?")


def _device(word: Any) -> Any:
    if isinstance(word, str) and not _DEVICE.fullmatch(word):
        raise ValueError(f"must be auto, cpu, cuda, cuda:1, mps or xpu, not {quoted(word)}")
    return word


Device = Annotated[str, BeforeValidator(_device)]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class Placed(Request):
    """Where a model runs, and in which precision."""

    group: ClassVar[str] = "device"

    device: Annotated[Device, Flag("DEVICE", "auto")] = "auto"
    """auto (the accelerator that torch finds, else the CPU), cpu, cuda, cuda:1, mps or xpu"""
    dtype: Dtype = "auto"
    """of weights and activations while the model runs; auto: as the checkpoint says on an
    accelerator, float32 on the CPU. Events are coded in float32 in any case, and bills keep the
    widths of the checkpoint (--widths)"""


class PlacedTraining(Placed):
    """Where a training runs, and in which precision."""

    dtype: Dtype = "auto"
    """of the products of a training step; auto: as the checkpoint says on an accelerator, float32
    on the CPU. Parameters, their optimiser and what is judged stay in float32; float16 would need
    a scale of the loss, so bfloat16 takes its place"""

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.dtype == "float16":
            raise RequestError(
                "--dtype float16 trains only with a scale of the loss, which is not kept in "
                "checkpoints; give --dtype bfloat16, which needs none and takes as little memory"
            )


class Compiled(Request):
    """How the neurons of a conversion run."""

    group: ClassVar[str] = "device"

    compile_codes: bool = False
    """run all time steps of a code or neuron as one kernel made by torch.compile: the same events,
    sooner in long runs; each kernel takes some seconds to make, once"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if getattr(self, "stream", False):
            found["compile_codes"] = "layers of --stream run step by step; leave one of them out"
        return found


class Weights(Placed, Model):
    """Which model, with which weights."""

    weights: Literal["auto", "pretrained", "random"] = "auto"
    """auto: from the cache or the hub, else random, and said so; a directory must have them"""


class Seeded(Weights):
    """Which model, with which weights, also random ones."""

    seed: Seed = 0
    """seed of random weights"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.weights == "pretrained":
            found["seed"] = "it is that of random weights; leave out --weights pretrained"
        elif self.weights == "auto" and (
            self.model in (*SHIPPED, SMOLLM2) or os.path.lexists(self.model)
        ):
            own = f"it is that of random weights, and {shortened(self.model)} has its own"
            found["seed"] = f"{own}; give --weights random for others"
        return found


class Mapped(Placed):
    """Where a model runs, maybe over several devices."""

    device_map: Annotated[str | None, Flag("MAP", group="device")] = None
    """parts of the model over several devices, by Accelerate: auto (accelerators, then memory, then
    the disk), or a JSON file that says for modules where they are, as in {"": "cuda:0",
    "model.layers.7": "cpu", "lm_head": "disk"}. What is on the disk is read from the files of the
    checkpoint when it is needed"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.device_map is not None:
            found["device"] = "the map says where each part is; leave out --device-map"
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.device_map is None:
            return
        if getattr(self, "stream", False):
            raise RequestError(
                "--stream has one transformer layer in memory, and --device-map says where all of "
                "them are; leave out one of the two"
            )
        gpus: float = getattr(self, "gpus_per_point", 0)
        if getattr(self, "ray", None) is not None and (self.device_map != "auto" or gpus < 1):
            raise RequestError(
                "--ray gives each point devices of its own, over which --device-map auto can "
                "spread a model; give that with --gpus-per-point 1 or more, or leave out one of "
                "the two"
            )
